"""Live sessions whose lines break, and what people send that is no speech: the text stays what it
is, and memory comes back. Pieces of `bench.hearing`.
"""

import argparse
import asyncio
import ctypes
import gc
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing, suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench import speech
from services.audio.core import Audio
from services.audio.domain import SpeakerTurn
from services.audio.live import Chunk, End, Opening, Whole
from services.chassis.errors import MeshError, Unavailable
from services.media.audio import Samples
from services.media.speech import Encoding
from tests.doubles.caller import Caller
from tests.doubles.recordings import encoded, silence
from tests.doubles.word_error import word_error_rate

CUTS = 50
CUT_MINUTES = 10
ERROR = 2.0
"""Points that the error of a cut line may be above that of the worse of two whole ones."""
ABANDONED = 200
GROWTH = 40.0
"""MiB that may be kept: what the allocator does not give back of a single pass."""


class Recorder:
    """Takes the place of who tells voices apart, and notes what the room heard of each session."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def start(self) -> None:
        """Do nothing: it is ready."""

    def listen(self) -> "_Recording":
        """Begin with a session."""
        return _Recording(self.heard)

    async def close(self) -> None:
        """Do nothing: it has nothing under way."""


class _Recording:
    def __init__(self, heard: list[str]) -> None:
        self._heard = heard
        self._digest = hashlib.sha256()

    def feed(self, samples: Samples) -> None:
        self._digest.update(samples.tobytes())

    async def room(self) -> None:
        pass

    async def turns(self) -> Sequence[SpeakerTurn]:
        self._heard.append(self._digest.hexdigest())
        raise Unavailable("nobody tells voices apart here")

    def close(self) -> None:
        pass


async def cuts(given: argparse.Namespace) -> None:
    """Fifty cuts at random in ten minutes, as fast as the room takes them.

    The model itself hears another time other words, since its windows begin elsewhere when the
    machine is busy: how many, two whole lines tell. What the room hears of a cut line must be the
    same to the last sample.
    """
    said = await speech.dialogue(round(CUT_MINUTES * 60 / 35))
    data, chance = (said.samples * 32_767).astype("<i2").tobytes(), random.Random(6)
    opening, recorder = Opening(speech.ENGLISH), Recorder()
    async with speech.room(given.model, recorder) as (core, _, _):
        recorder.heard.clear()
        whole = [Caller(core, data, chunk=32_000) for _ in range(2)]
        for line in whole:
            await line.speak(opening=opening)
        caller, made = Caller(core, data, chunk=32_000), 0
        places = sorted(chance.sample(range(len(data)), CUTS))
        for place in places:
            await _speak_until(caller, place, opening)
            made += 1
        while caller.final is None:
            await caller.speak(opening=opening)
    print(f"       {made} cuts in {len(said.samples) / 16e3:.0f} s")
    cut_off = sum(it != recorder.heard[0] for it in recorder.heard[1:])
    speech.at_most(given.bars, "lines of which the room heard other samples", cut_off, 0, "")
    texts = [it.final.text for it in (*whole, caller) if it.final]
    apart, same = (100 * word_error_rate(texts[0], it) for it in texts[1:])
    print(f"       words that differ between two whole lines: {apart:.1f} %")
    print(f"       words that differ between a whole and the cut line: {same:.1f} %")
    *wrong_whole, wrong_cut = (100 * word_error_rate(said.said, it) for it in texts)
    speech.at_most(
        given.bars, "words in error of the cut line", wrong_cut, max(wrong_whole) + ERROR, " %"
    )
    told, final = ([it.text for it in each] for each in (caller.segments, caller.final.segments))
    wrong = abs(len(told) - len(final)) + sum(a != b for a, b in zip(told, final, strict=False))
    speech.at_most(given.bars, "segments told otherwise than in the end", wrong, 0, "")


async def _speak_until(caller: Caller, place: int, opening: Opening) -> None:
    line = asyncio.create_task(caller.speak(opening=opening))
    while caller.acknowledged < place and not line.done():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    line.cancel()
    with suppress(asyncio.CancelledError):
        await line


async def hostile(given: argparse.Namespace) -> None:
    """Garbage, a wrong rate, nothing, hours of silence, sessions that are left alone."""
    async with speech.room(given.model) as (core, _, _):
        for name, data, encoding, rate in (
            ("garbage", random.Random(1).randbytes(200_000), Encoding.CONTAINER, 0),
            ("garbage as Ogg", random.Random(2).randbytes(200_000), Encoding.OGG, 0),
            ("garbage as samples", random.Random(3).randbytes(200_000), Encoding.PCM16, 0),
            ("a wrong rate", (await speech.dialogue()).samples.tobytes(), Encoding.FLOAT32, 48_000),
            ("nothing", b"", Encoding.PCM16, 0),
        ):
            print(f"       {name}: {await _answer(core, data, encoding, rate)}")
        # Models keep what their longest passes took, once: these were some, and here is another.
        await core.transcribe(encoded(silence(700)), speech.ENGLISH)
        base = _mebibytes()
        # Elsewhere: what it takes to make it is not the room's.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as aside:
            quiet = await asyncio.wrap_future(aside.submit(_hours_of_silence))
        made = (await core.transcribe(quiet, speech.ENGLISH)).transcript
        speech.at_most(given.bars, "words in three hours of silence", len(made.text.split()), 0, "")
        speech.at_most(given.bars, "kept of three hours", _mebibytes() - base, GROWTH, " MiB")
        for _ in range(ABANDONED):
            stream = core.listen(Opening(), "bench", _some())
            async with aclosing(stream):
                await anext(stream)
        left = len(core._sessions)
        await core._sessions.close()
        gc.collect()
        print(f"       {ABANDONED} sessions opened and abandoned, {left} kept for their callers")
        speech.at_most(given.bars, "kept of all of them", _mebibytes() - base, GROWTH, " MiB")


async def _answer(core: Audio, data: bytes, encoding: Encoding, rate: int) -> str:
    async def messages() -> AsyncIterator[Chunk | End]:
        for at in range(0, len(data), 32_000):
            yield Chunk(data[at : at + 32_000])
        yield End()

    heard = ""
    try:
        async for told in core.listen(Opening(speech.ENGLISH, encoding, rate), "b", messages()):
            if isinstance(told, Whole):
                heard = told.transcript.text
    except MeshError as refused:
        return f"refused: {refused}"
    return f"heard: {heard[:60]!r}"


async def _some() -> AsyncIterator[Chunk | End]:
    yield Chunk(b"\0" * 32_000)
    await asyncio.Event().wait()


def _hours_of_silence() -> bytes:
    return encoded(np.tile(silence(60), 180), "ogg", "flac")


def _mebibytes() -> float:
    gc.collect()
    # What the allocator keeps free, tens of MiB and more at one time than at another, is not held.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    line = next(it for it in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in it)
    return int(line.split()[1]) / 1024
