import pytest

from services.dialects.subtitles import Cue, srt, vtt

CUES = [Cue(0.5, 3.6254, "Good morning."), Cue(3_725.9996, 3_727.0, "Bye.", speaker="S1")]


def test_srt_numbers_its_cues_and_writes_times_with_a_comma():
    assert srt(CUES) == (
        "1\n00:00:00,500 --> 00:00:03,625\nGood morning.\n"
        "\n"
        "2\n01:02:06,000 --> 01:02:07,000\nS1: Bye.\n"
    )


def test_vtt_has_a_header_and_names_the_voice():
    assert vtt(CUES) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.500 --> 00:00:03.625\nGood morning.\n"
        "\n"
        "01:02:06.000 --> 01:02:07.000\n<v S1>Bye.\n"
    )


def test_what_was_said_cannot_end_a_cue_or_be_markup():
    hostile = Cue(0, 1, "a\n\n00:00 --> 00:09\n<b>&", speaker="x>\n")
    assert vtt([hostile]).splitlines()[3:] == ["<v x&gt;>a 00:00 -&gt; 00:09 &lt;b&gt;&amp;"]
    assert srt([hostile]).splitlines()[2:] == ["x> : a 00:00 -> 00:09 <b>&"]


@pytest.mark.parametrize(
    "text", ["Größe geändert.", "¿Quién? ¡Yo!", "我们决定推迟。谁来？", "هل السلم مكسور؟"]
)
def test_text_of_any_script_stays_as_it_was_said(text):
    assert srt([Cue(0, 1, text)]).splitlines()[2] == text
    assert vtt([Cue(0, 1, text)]).splitlines()[3] == text


def test_nothing_said_is_still_a_file():
    assert srt([]) == ""
    assert vtt([]) == "WEBVTT\n"
