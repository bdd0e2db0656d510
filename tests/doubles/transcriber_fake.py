"""A `Transcriber` that hears loudness: every loud stretch is a segment, and nothing is loaded."""

from collections.abc import Iterator

import numpy as np

from services.audio.domain import Segment
from services.audio.ports import Heard
from services.media.audio import SAMPLE_RATE_HZ, Samples

FRAME = SAMPLE_RATE_HZ // 10


class FakeTranscriber:
    engine = "fake"
    name = "fake-ears"

    def load(self) -> None:
        pass

    def languages(self) -> frozenset[str]:
        return frozenset({"en", "de", "fr"})

    def transcribe(self, samples: Samples, language: str) -> Heard:
        stretches = list(_loud_stretches(samples))
        return Heard(language or ("en" if stretches else ""), map(_segment, stretches))


def _segment(stretch: tuple[float, float]) -> Segment:
    start, end = stretch
    return Segment(start, end, f"{end - start:.1f} seconds of speech")


def _loud_stretches(samples: Samples) -> Iterator[tuple[float, float]]:
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.concatenate([[False], np.abs(frames).max(axis=1, initial=0) > 0.02, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1])
    for start, end in edges.reshape(-1, 2):
        yield float(start) / 10, float(end) / 10
