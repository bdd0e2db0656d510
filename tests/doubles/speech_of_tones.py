"""Speech that a test can spell: each word is a tone of its own loudness, and an ear hears it so
whichever window it is given. What it hears of a word that is cut off depends on the cut.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np

from services.audio.domain import Segment, Word, segment_of
from services.audio.ports import Asked, Heard
from services.media.audio import SAMPLE_RATE_HZ, Samples
from tests.doubles.recordings import silence, tone
from tests.doubles.transcriber_fake import FakeTranscriber

WORDS = ("zero", "one", "two", "three", "four", "five.", "six", "seven", "eight", "nine")
WORD_SECONDS = 0.3
GAP_SECONDS = 0.2
_FRAME = SAMPLE_RATE_HZ // 50


def said(words: Sequence[int]) -> str:
    return " ".join(WORDS[it] for it in words)


def spoken(words: Sequence[int]) -> Samples:
    """An utterance."""
    each = [np.concatenate([_tone(it), silence(GAP_SECONDS)]) for it in words]
    return np.concatenate([np.empty(0, np.float32), *each])


def talk(chance: random.Random, utterances: int, longest: int = 20) -> tuple[Samples, list[int]]:
    """Utterances with pauses between them, and their words."""
    audio, words = [silence(chance.uniform(0, 2))], list[int]()
    for _ in range(utterances):
        said = [chance.randrange(len(WORDS)) for _ in range(chance.randint(1, longest))]
        audio += [spoken(said), silence(chance.uniform(0.8, 3))]
        words += said
    return np.concatenate(audio), words


def pcm16(samples: Samples) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()


def _tone(word: int) -> Samples:
    return tone(WORD_SECONDS) / np.float32(0.3) * np.float32(0.1 + 0.08 * word)


class ToneTranscriber(FakeTranscriber):
    """Hears tones as words. Of the first and last in a window it may mishear what is cut off."""

    def __init__(self) -> None:
        self.passes: list[tuple[float, Asked]] = []

    def transcribe(self, samples: Samples, asked: Asked) -> Heard:
        self.passes.append((len(samples) / SAMPLE_RATE_HZ, asked))
        words = list(_words(samples))
        found = [segment_of(words, asked.language or "en")] if words else list[Segment]()
        return Heard(asked.language or ("en" if words else ""), iter(found))


def _words(samples: Samples) -> Iterator[Word]:
    frames = np.abs(samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)).max(axis=1)
    loud = np.concatenate([[False], frames > 0.05, [False]])
    for begin, end in np.flatnonzero(loud[1:] != loud[:-1]).reshape(-1, 2):
        heard = round((float(frames[begin:end].max()) - 0.1) / 0.08)
        # A word that has only begun sounds like another one.
        cut = end == len(frames) and end - begin < WORD_SECONDS * 50 * 0.7
        if end - begin > 2 or cut:
            text = "hm" if cut else WORDS[min(max(heard, 0), 9)]
            yield Word(begin / 50, end / 50, f" {text}", 0.9)
