from datetime import timedelta

import pytest
from mesh.types.v1 import transcript_pb2 as pb

from services.dialects.subtitles import srt, vtt


def segment(start, end, text, speaker=""):
    said = pb.Segment(text=text, speaker=speaker)
    said.start_offset.FromTimedelta(timedelta(seconds=start))
    said.end_offset.FromTimedelta(timedelta(seconds=end))
    return said


def transcript(*segments):
    return pb.Transcript(segments=segments)


SAID = transcript(
    segment(0.5, 3.6254, "Good morning."), segment(3_726.0, 3_727.0, "Bye.", speaker="S1")
)


def test_srt_numbers_its_cues_and_writes_times_with_a_comma():
    assert srt(SAID) == (
        "1\n00:00:00,500 --> 00:00:03,625\nGood morning.\n"
        "\n"
        "2\n01:02:06,000 --> 01:02:07,000\nS1: Bye.\n"
    )


def test_vtt_has_a_header_and_names_the_voice():
    assert vtt(SAID) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.500 --> 00:00:03.625\nGood morning.\n"
        "\n"
        "01:02:06.000 --> 01:02:07.000\n<v S1>Bye.\n"
    )


def test_what_was_said_cannot_end_a_cue_or_be_markup():
    hostile = transcript(segment(0, 1, "a\n\n00:00 --> 00:09\n<b>&", speaker="x>\n"))
    assert vtt(hostile).splitlines()[3:] == ["<v x&gt;>a 00:00 -&gt; 00:09 &lt;b&gt;&amp;"]
    assert srt(hostile).splitlines()[2:] == ["x> : a 00:00 -> 00:09 <b>&"]


def test_every_cue_has_a_length_and_hours_have_as_many_digits_as_they_need():
    said = transcript(segment(360_000.25, 360_000.25, "Hm."))
    assert srt(said).splitlines()[1] == "100:00:00,250 --> 100:00:00,251"
    assert vtt(said).splitlines()[2] == "100:00:00.250 --> 100:00:00.251"


@pytest.mark.parametrize(
    "text", ["Größe geändert.", "¿Quién? ¡Yo!", "我们决定推迟。谁来？", "هل السلم مكسور؟"]
)
def test_text_of_any_script_stays_as_it_was_said(text):
    said = transcript(segment(0, 1, text))
    assert srt(said).splitlines()[2] == text
    assert vtt(said).splitlines()[3] == text


def test_nothing_said_is_still_a_file():
    assert srt(transcript()) == ""
    assert vtt(transcript()) == "WEBVTT\n"
