"""Live sessions whose lines break, and what people send that is no speech: the text stays what it
is, and memory comes back. Pieces of `bench.hearing`.
"""

import argparse
import asyncio
import gc
import random
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing, suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench import speech
from services.audio.core import Audio
from services.audio.live import Chunk, End, Opening, Whole
from services.chassis.errors import MeshError
from services.media.speech import Encoding
from tests.doubles.caller import Caller
from tests.doubles.recordings import encoded, silence
from tests.doubles.word_error import word_error_rate

CUTS = 50
CUT_MINUTES = 10
ABANDONED = 200
GROWTH = 40.0
"""MiB that may be kept: what the allocator does not give back of a single pass."""


async def cuts(given: argparse.Namespace) -> None:
    """Fifty cuts at random in ten minutes, as fast as the room takes them."""
    said = await speech.dialogue(round(CUT_MINUTES * 60 / 35))
    data, chance = (said.samples * 32_767).astype("<i2").tobytes(), random.Random(6)
    opening = Opening(speech.ENGLISH)
    async with speech.room(given.model) as (core, _, _):
        uncut = Caller(core, data, chunk=32_000)
        await uncut.speak(opening=opening)
        caller, made = Caller(core, data, chunk=32_000), 0
        places = sorted(chance.sample(range(len(data)), CUTS))
        for place in places:
            await _speak_until(caller, place, opening)
            made += 1
        while caller.final is None:
            await caller.speak(opening=opening)
    assert uncut.final is not None
    same = word_error_rate(uncut.final.text, caller.final.text)
    print(f"       {made} cuts in {len(said.samples) / 16e3:.0f} s")
    speech.at_most(
        given.bars, "words that differ from those of the whole line", 100 * same, 0, " %"
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
    line = next(it for it in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in it)
    return int(line.split()[1]) / 1024
