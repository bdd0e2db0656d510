"""A `Transcriber` that hears loudness: every loud stretch is a segment, and nothing is loaded."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.audio.domain import Segment, Word, segment_of
from services.audio.ports import VOICE_FRAME, Asked, Heard, Stretch
from services.media.audio import SAMPLE_RATE_HZ, Samples

FRAME = SAMPLE_RATE_HZ // 10


class FakeTranscriber:
    engine = "fake"
    name = "fake-ears"
    most_together = 4

    def load(self) -> None:
        pass

    def languages(self) -> frozenset[str]:
        return frozenset({"en", "de", "fr"})

    def transcribe(self, samples: Samples, asked: Asked) -> Heard:
        stretches = list(_loud_stretches(samples))
        language = asked.language or ("en" if stretches else "")
        return Heard(language, (_segment(it, language) for it in stretches))

    def hear(self, stretches: Sequence[Stretch]) -> Sequence[Heard]:
        return [self.transcribe(it.samples, it.asked) for it in stretches]

    def voice(self) -> "FakeVoice":
        return FakeVoice()


class FakeVoice:
    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)

    def feed(self, samples: Samples) -> list[float]:
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // VOICE_FRAME * VOICE_FRAME
        self._rest = samples[whole:]
        loudest = np.abs(samples[:whole].reshape(-1, VOICE_FRAME)).max(axis=1, initial=0)
        return [float(it) for it in loudest > 0.02]


def _segment(stretch: tuple[float, float], language: str) -> Segment:
    start, end = stretch
    said = f" {end - start:.1f} seconds of speech".split(" ")[1:]
    step = (end - start) / len(said)
    words = [
        Word(start + place * step, start + (place + 1) * step, f" {word}", 0.9)
        for place, word in enumerate(said)
    ]
    return segment_of(words, language)


def _loud_stretches(samples: Samples) -> Iterator[tuple[float, float]]:
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.concatenate([[False], np.abs(frames).max(axis=1, initial=0) > 0.02, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1])
    for start, end in edges.reshape(-1, 2):
        yield float(start) / 10, float(end) / 10
