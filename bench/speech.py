"""What is heard in the benches of hearing: a room with its model, and speech with its truth. Real
speech is read from a folder that is not in the repository: `bench/README.md` says how to fill it.
"""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.bars import Bars
from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.core import Audio
from services.audio.domain import SpeakerTurn, Wish
from services.audio.ports import Diarizer, Heard, Stretch
from services.audio.sessions import Bounds
from services.media import audio
from services.media.audio import Samples
from tests.doubles.recordings import DIALOGUE, TRUTH, encoded, tone

TOLD = json.loads(TRUTH.read_text())
SAID = " ".join(turn["text"] for turn in TOLD["turns"])
SPEECH_BEGINS = TOLD["turns"][0]["start"]
ENGLISH = Wish("en")


@dataclass(frozen=True)
class Speech:
    """A recording and what is said in it."""

    samples: Samples
    said: str
    turns: list[SpeakerTurn] = field(default_factory=list)


class Timed(WhisperTranscriber):
    """Notes how long each pass takes."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.passes: list[float] = []

    def hear(self, stretches: Sequence[Stretch]) -> Sequence[Heard]:
        """Note how long a pass takes, of however many."""
        started = time.perf_counter()
        heard = super().hear(stretches)
        self.passes.append(time.perf_counter() - started)
        return heard


@asynccontextmanager
async def room(
    model: str, diarizer: Diarizer | None = None
) -> AsyncIterator[tuple[Audio, WhisperTranscriber, list[float]]]:
    """A room of any number of sessions with its model loaded, and the times of its passes."""
    ears = Timed(store.ensure(model), device="cpu", compute_type="int8", threads=2)
    bounds = Bounds(sessions=256, kept=256, lag_seconds=600)
    async with Audio(ears, diarizer, bounds=bounds) as core:
        await core.transcribe(encoded(tone(1)), ENGLISH)  # The model is loaded.
        ears.passes.clear()
        yield core, ears, ears.passes


def at_most(bars: Bars, what: str, figure: float, bar: float, unit: str) -> None:
    """Print a figure that may not be above its bar, and whether it is."""
    print(f"{what}: {bars.at_most(what, figure, bar, unit)}", flush=True)


async def decoded(data: bytes) -> Samples:
    """Give a recording's samples."""
    return np.concatenate([it async for it in audio.decode(data, field="audio")])


async def dialogue(copies: int = 1) -> Speech:
    """Two made voices, 35 s for each copy."""
    samples = await decoded(DIALOGUE.read_bytes())
    return Speech(np.tile(samples, copies), " ".join([SAID] * copies))


async def read(folder: Path) -> list[Speech]:
    """Five utterances, read from a book."""
    home = next(folder.rglob("transcription")).parent
    found = []
    for line in (home / "transcription").read_text().splitlines():
        said, _, name = line.removesuffix(")").rpartition(" </s> (")
        wav = (home / f"{name}.wav").read_bytes()
        found.append(Speech(await decoded(wav), said.removeprefix("<s> ")))
    return found


async def call(folder: Path) -> Speech:
    """Half a minute of a telephone call of two."""
    wav = next(folder.rglob("sample.wav"))
    said = [it.split(maxsplit=5)[5] for it in wav.with_suffix(".stm").read_text().splitlines()]
    names, turns = dict[str, int](), []
    for line in wav.with_suffix(".rttm").read_text().splitlines():
        _, _, _, begin, seconds, _, _, name, *_ = line.split()
        end = float(begin) + float(seconds)
        turns.append(SpeakerTurn(float(begin), end, names.setdefault(name, len(names))))
    return Speech(await decoded(wav.read_bytes()), " ".join(said), turns)
