"""A `Diarizer` that tells voices apart by their pitch: low from high, and nothing else."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.audio.domain import SpeakerTurn
from services.chassis.errors import Unavailable
from services.media.audio import SAMPLE_RATE_HZ, Samples

_FRAME = SAMPLE_RATE_HZ // 20
_HIGH_HZ = 150
_PAUSE_FRAMES = 5


class FakeDiarizer:
    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        """Whether what it stands for has broken down."""
        self.open = 0
        """How many recordings are listened to."""

    def start(self) -> None:
        pass

    def listen(self) -> "FakeDiarization":
        self.open += 1
        return FakeDiarization(self)

    async def close(self) -> None:
        self.broken = True


class FakeDiarization:
    def __init__(self, diarizer: FakeDiarizer) -> None:
        self._diarizer = diarizer
        self._fed: list[Samples] = []
        self._closed = False

    def feed(self, samples: Samples) -> None:
        self._fed.append(samples)

    async def room(self) -> None:
        pass

    async def turns(self) -> Sequence[SpeakerTurn]:
        if self._diarizer.broken:
            raise Unavailable("what tells speakers apart broke down")
        return list(_turns(np.concatenate([np.zeros(0, np.float32), *self._fed])))

    def close(self) -> None:
        self._diarizer.open -= not self._closed
        self._closed = True


def _turns(samples: Samples) -> Iterator[SpeakerTurn]:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.flatnonzero(np.abs(frames).max(axis=1, initial=0) > 0.02)
    if not len(loud):
        return
    for stretch in np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE_FRAMES) + 1):
        pitch = np.median([_pitch(frames[it]) for it in stretch])
        voice = 1 if pitch > _HIGH_HZ else 0
        yield SpeakerTurn(float(stretch[0]) / 20, float(stretch[-1] + 1) / 20, voice)


def _pitch(frame: Samples) -> float:
    echo = np.correlate(frame, frame, "full")[len(frame) :]
    shortest = SAMPLE_RATE_HZ // 320
    return SAMPLE_RATE_HZ / (shortest + 1 + int(np.argmax(echo[shortest : SAMPLE_RATE_HZ // 70])))
