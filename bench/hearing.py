"""How soon and how well speech is heard: the dialogue spoken live as in life, alone and several at
once, and sent whole beside faster-whisper called directly. Run it as `python -m bench.hearing`.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np

from sensorium.weights import store
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.core import Audio
from services.audio.domain import Wish
from services.audio.live import Chunk, End, Opening, Partial, SegmentHeard, Whole
from services.audio.ports import Asked, Heard
from services.audio.sessions import Bounds
from services.media import audio
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles.recordings import DIALOGUE, TRUTH, encoded
from tests.doubles.word_error import word_error_rate

CHUNK_SECONDS = 0.1
COPIES = 5
TOLD = json.loads(TRUTH.read_text())
SAID = " ".join(turn["text"] for turn in TOLD["turns"])
SPEECH_BEGINS = TOLD["turns"][0]["start"]


class Timed(WhisperTranscriber):
    """Notes how long each pass takes."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.passes: list[float] = []

    def transcribe(self, samples: audio.Samples, asked: Asked) -> Heard:
        """Hear at once, so that the time of it is known."""
        started = time.perf_counter()
        heard = super().transcribe(samples, asked)
        segments = list(heard.segments)
        self.passes.append(time.perf_counter() - started)
        return Heard(heard.language, iter(segments))


class Live:
    """One speaker, paced as in life."""

    def __init__(self, samples: audio.Samples) -> None:
        self.data = (samples * 32_767).astype("<i2").tobytes()
        self.first: float | None = None
        self.lags: list[float] = []
        self.after_end = 0.0
        self.text = ""

    async def speak(self, core: Audio) -> None:
        """Speak to the room and note when what was heard."""
        self.began, committed, segments = time.perf_counter(), 0, 0
        async for told in core.listen(Opening(Wish("en")), "bench", self._chunks()):
            now = time.perf_counter() - self.began
            match told:
                case Partial():
                    if self.first is None and (told.committed or told.tentative):
                        self.first = now - SPEECH_BEGINS - 1.0
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


async def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, nargs="*", default=[1, 3])
    options.add_argument("--rounds", type=int, default=2)
    given = options.parse_args()
    blocks = [it async for it in audio.decode(DIALOGUE.read_bytes(), field="audio")]
    samples = np.concatenate(blocks)
    ears = Timed(store.ensure("whisper-base"), device="cpu", compute_type="int8", threads=2)
    bounds = Bounds(sessions=64, lag_seconds=600)
    async with Audio(ears, bounds=bounds) as core:
        await core.transcribe(encoded(samples, "ogg", "flac"), Wish("en"))  # The model is loaded.
        for count in given.sessions:
            ears.passes.clear()
            used = time.process_time()
            speakers = [Live(samples) for _ in range(count)]
            await asyncio.gather(*(it.speak(core) for it in speakers))
            show_live(speakers, ears, time.process_time() - used)
        await whole(core, ears, samples, given.rounds)


def show_live(speakers: list[Live], ears: Timed, used: float) -> None:
    """Print what so many speakers saw."""
    lags = [lag for it in speakers for lag in it.lags]
    p50, p95 = np.percentile(lags, [50, 95])
    firsts = [it.first for it in speakers if it.first is not None]
    errors = [word_error_rate(SAID, it.text) for it in speakers]
    after = max(it.after_end for it in speakers)
    print(
        f"{len(speakers)} live: P {statistics.median(ears.passes):.2f} s "
        f"({len(ears.passes)} passes), first partial {max(firsts):.2f} s after a second of speech, "
        f"commit lag p50 {p50:.2f} p95 {p95:.2f} s, final {after:.2f} s "
        f"after the end, word error {100 * statistics.mean(errors):.1f} %, {used:.0f} s of CPU"
    )


async def whole(core: Audio, ears: Timed, samples: audio.Samples, rounds: int) -> None:
    """Send it whole, beside the engine called directly, rounds interleaved."""
    long = np.tile(samples, COPIES)
    recording = encoded(long, "ogg", "flac")
    ours, theirs = list[float](), list[float]()
    direct: Callable[..., Any] = ears._batches.transcribe
    for _ in range(rounds):
        started = time.process_time()
        heard = await core.transcribe(recording, Wish("en"))
        ours.append(time.process_time() - started)
        started = time.process_time()
        segments = await asyncio.to_thread(lambda: list(direct(long, language="en")[0]))
        theirs.append(time.process_time() - started)
    text = " ".join(it.text.strip() for it in segments)
    said = " ".join([SAID] * COPIES)
    seconds = len(long) / SAMPLE_RATE_HZ
    print(
        f"whole, {seconds:.0f} s: {min(ours) / seconds:.3f} of CPU per second, directly without "
        f"words {min(theirs) / seconds:.3f}; word error "
        f"{100 * word_error_rate(said, heard.transcript.text):.1f} %, directly "
        f"{100 * word_error_rate(said, text):.1f} %"
    )


if __name__ == "__main__":
    asyncio.run(main())
