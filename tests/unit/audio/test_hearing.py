import random
from dataclasses import replace

import numpy as np
import pytest

from services.audio import hearing
from services.audio.domain import Wish
from services.audio.hearing import Hearing
from services.audio.ports import Care
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles.recordings import silence, tone
from tests.doubles.speech_of_tones import ToneTranscriber, said, spoken, talk


class Listener:
    """Plays audio to a hearing, lets an ear hear each window, and holds it to its promise."""

    def __init__(self, wish: Wish = Wish("en")) -> None:  # noqa: B008 - frozen
        self.ears = ToneTranscriber()
        self.hearing = Hearing(wish)
        self.voice = self.ears.voice()
        self.settled: list[str] = []
        self.log: list[tuple[str, str]] = []

    def play(self, samples: np.ndarray, *, step: float = 0.1, late: int = 1) -> "Listener":
        """Feed steps of so many seconds; the model is free after each `late` steps."""
        size = int(step * SAMPLE_RATE_HZ)
        for number, at in enumerate(range(0, len(samples), size)):
            block = samples[at : at + size]
            self.hearing.feed(block, self.voice.feed(block))
            if number % late == 0:
                self.hear_once()
        return self

    def hear_once(self, *, stalled: bool = False) -> bool:
        window = self.hearing.window(stalled=stalled)
        if window is None:
            return False
        assert len(window.samples) <= 30 * SAMPLE_RATE_HZ
        heard = self.ears.transcribe(window.samples, window.asked)
        words = [word for segment in heard.segments for word in segment.words]
        self.hearing.heard(window, heard.language, words)
        now = [word.text for it in self.hearing.segments for word in it.words]
        now += [word.text for word in self.hearing.committed]
        assert now[: len(self.settled)] == self.settled, "a committed word changed"
        self.settled = now
        self.log.append((self.text, "".join(it.text for it in self.hearing.tentative).strip()))
        return True

    def end(self) -> str:
        self.hearing.end()
        while self.hear_once():
            pass
        assert self.hearing.is_ended
        return self.hearing.transcript.text

    @property
    def text(self) -> str:
        return "".join(self.settled).strip()


def test_a_word_is_committed_when_two_passes_agree():
    listener = Listener().play(spoken([1, 2, 3, 4]))
    (_, first), (second, _) = listener.log[:2]
    assert first.startswith("one")
    assert second.startswith("one")
    assert listener.hearing.segments == []


def test_a_word_that_is_cut_is_heard_right_when_it_is_whole():
    listener = Listener().play(spoken([1, 2, 3, 4]), step=0.15)
    assert any("hm" in tentative for _, tentative in listener.log)
    assert listener.end() == said([1, 2, 3, 4])


def test_silence_costs_no_pass():
    listener = Listener().play(silence(600), step=0.5)
    assert listener.end() == ""
    assert listener.ears.passes == []
    assert listener.hearing.seconds == 600


def test_silence_leaves_nothing_in_memory():
    listener = Listener().play(silence(60))
    assert listener.hearing.waiting_seconds == 0
    assert len(listener.hearing._audio) < SAMPLE_RATE_HZ


def test_a_pause_makes_a_segment_with_its_times():
    speech = np.concatenate([silence(5), spoken([1, 2]), silence(2), spoken([3]), silence(2)])
    listener = Listener().play(speech)
    first, second = listener.hearing.segments
    assert (first.text, second.text) == ("one two", "three")
    assert (first.start_seconds, first.end_seconds) == pytest.approx((5, 5.8), abs=0.06)
    assert (second.start_seconds, second.end_seconds) == pytest.approx((8, 8.3), abs=0.06)


def test_who_speaks_when_is_told_around_the_segments_of_each_utterance():
    audio = [silence(2), spoken([1, 5, 2]), silence(2), spoken([3, 4])]
    listener = Listener().play(np.concatenate(audio))
    listener.end()
    told = listener.hearing.voicings
    assert [(it.speaking, it.segments) for it in told] == [
        (True, 0),
        (False, 2),
        (True, 2),
        (False, 3),
    ]
    assert [it.seconds for it in told] == pytest.approx([1.7, 3.4, 5.2, 6.5], abs=0.2)
    assert told[0].seconds <= listener.hearing.segments[0].start_seconds


def test_an_utterance_that_was_heard_to_its_end_costs_no_pass_more():
    listener = Listener().play(np.concatenate([spoken([1, 2, 3, 4, 6, 7]), silence(2)]))
    assert listener.hearing.segments
    assert Care.CLOSING not in [asked.care for _, asked in listener.ears.passes]


def test_a_model_that_is_late_hears_the_whole_utterance_once():
    speech = np.concatenate([spoken([1, 2, 3]), silence(2)])
    listener = Listener().play(speech, late=1_000)
    assert listener.end() == said([1, 2, 3])
    assert [asked.care for _, asked in listener.ears.passes] == [Care.CLOSING]


def test_a_whole_sentence_is_a_segment_before_the_speaker_pauses():
    listener = Listener().play(spoken([1, 2, 5, 3, 4, 6, 7, 8]))
    assert [it.text for it in listener.hearing.segments] == ["one two five."]


def test_who_never_pauses_is_heard_in_windows_of_bounded_length():
    words = [1, 2, 3, 4, 6, 7, 8, 9] * 30
    listener = Listener().play(spoken(words))
    assert max(seconds for seconds, _ in listener.ears.passes) <= hearing.MOST_SECONDS
    assert len(listener.hearing._audio) < 30 * SAMPLE_RATE_HZ
    assert listener.end() == said(words)


def test_a_voice_without_words_is_forgotten():
    listener = Listener().play(tone(1) * 0.0)
    hum = tone(90) * np.float32(0.1)
    listener.play(hum)
    assert len(listener.hearing._audio) < 30 * SAMPLE_RATE_HZ


def test_audio_that_stops_coming_is_heard_as_far_as_it_came():
    listener = Listener().play(spoken([1])[: SAMPLE_RATE_HZ // 2])
    assert listener.log == []
    assert listener.hear_once(stalled=True)
    assert listener.log[-1] == ("", "one")
    assert not listener.hear_once(stalled=True)


def test_what_was_said_just_before_helps_the_next_pass():
    speech = np.concatenate([spoken([1, 2]), silence(2), spoken([3, 4, 6])])
    listener = Listener(Wish("en", ("Sensorium",))).play(speech)
    assert listener.ears.passes[-1][1].context == "one two"
    assert listener.ears.passes[-1][1].hints == ("Sensorium",)


def test_a_language_is_kept_once_there_was_enough_speech_to_know_it():
    listener = Listener(Wish()).play(np.concatenate([spoken([1, 2, 3]), silence(2)]))
    assert listener.hearing.transcript.language == "en"
    listener.play(np.concatenate([spoken([1] * 20), silence(2), spoken([4, 4, 4])]))
    asked = [it.language for _, it in listener.ears.passes]
    assert asked[0] == ""
    assert asked[-1] == "en"


def test_short_utterances_are_together_enough_to_know_a_language():
    listener = Listener(Wish()).play(np.tile(np.concatenate([spoken([1, 2, 3]), silence(2)]), 6))
    asked = [it.language for _, it in listener.ears.passes]
    assert (asked[0], asked[-1]) == ("", "en")


def test_a_language_that_is_guessed_once_is_neither_kept_nor_that_of_the_whole():
    listener = Listener(Wish())
    guesses = iter(["de"])
    hear = listener.ears.transcribe
    listener.ears.transcribe = lambda samples, asked: hear(
        samples, replace(asked, language=asked.language or next(guesses, "en"))
    )
    listener.play(np.concatenate([spoken([1, 2]), silence(2)]), late=1_000).hear_once()
    listener.play(np.tile(np.concatenate([spoken([1, 2, 3]), silence(2)]), 6))
    assert [it.language for it in listener.hearing.segments] == ["de", *["en"] * 6]
    assert listener.hearing.transcript.language == "en"


def test_no_word_is_heard_after_the_last_voice():
    listener = Listener().play(np.concatenate([spoken([1, 2, 3]), silence(0.5)]))
    window = listener.hearing.window(stalled=True)
    if window is None:
        listener.play(spoken([4]))
        window = listener.hearing.window(stalled=True)
    words = [*listener.ears.transcribe(window.samples, window.asked).segments]
    spelled = [word for it in words for word in it.words]
    made_up = spelled[-1].__class__(window.end_seconds + 3, window.end_seconds + 4, " Bye.")
    listener.hearing.heard(window, "en", [*spelled, made_up])
    assert "Bye" not in "".join(it.text for it in listener.hearing.tentative)


def test_nothing_at_all_is_an_empty_transcript():
    assert Listener().end() == ""


@pytest.mark.parametrize("seed", range(25))
def test_however_it_is_cut_and_however_late_the_model_is_every_word_is_heard_once(seed):
    chance = random.Random(seed)
    audio, words = talk(chance, utterances=6, longest=40)
    listener = Listener()
    at = 0
    while at < len(audio):
        size = chance.randint(100, 60_000)
        step, late = chance.uniform(0.02, 2), chance.randint(1, 9)
        listener.play(audio[at : at + size], step=step, late=late)
        at += size
    assert listener.end() == said(words)
