"""Transcribes recordings: fairly, one model pass at a time, and never on the event loop.

Recordings under way take turns at the model, a piece each. It knows neither the wire nor an engine.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final, Self, TypeVar

from services.audio import pieces
from services.audio.domain import Model, Segment, Transcript, Transcription
from services.audio.pieces import Piece
from services.audio.ports import Transcriber
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Exhausted, InvalidInput, Unavailable
from services.media import audio

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_AFTER: Final = timedelta(seconds=10)
"""About one piece of speech on two cores; then a place may be free."""
_LOADING: Final = timedelta(seconds=2)


class Audio:
    """Hears. An async context manager: it starts to load the model at entry, without waiting."""

    def __init__(
        self,
        transcriber: Transcriber,
        *,
        recordings_at_once: int = 8,
        decode_seconds: float = audio.DECODE_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._transcriber = transcriber
        self._free_places = recordings_at_once
        self._decode_seconds = decode_seconds
        self._clock = clock or SystemClock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def __aenter__(self) -> Self:
        self._loading = self._in_model_thread(self._transcriber.load)
        self._loading.add_done_callback(_log_loading)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def health(self) -> None:
        """Raise unless the model is loaded."""
        if not self._loading.done():
            raise Unavailable("the speech model is still being loaded", retry_after=_LOADING)
        self._loading.result()

    async def model(self) -> Model:
        """Tell which model answers and whether it is loaded."""
        ready = self._loading.done() and self._loading.exception() is None
        return Model(self._transcriber.name, self._transcriber.engine, ready)

    async def transcribe(self, recording: bytes, *, language: str = "") -> Transcription:
        """Put a recording into words, in `language` or the one found out.

        Cancelling it stops its work at the next segment. Raises `Exhausted` at once when too many
        recordings are under way.
        """
        started = self._clock.monotonic()
        if not self._free_places:
            raise Exhausted("too many recordings are being transcribed", retry_after=RETRY_AFTER)
        self._free_places -= 1
        try:
            # Shielded: the load belongs to everybody, and goes on when one caller leaves.
            await asyncio.shield(self._loading)
            self._check_language(language)
            transcript = await self._transcribe(recording, language)
        finally:
            self._free_places += 1
        return Transcription(transcript, timedelta(seconds=self._clock.monotonic() - started))

    def _check_language(self, language: str) -> None:
        known = self._transcriber.languages()
        if language and language not in known:
            some = ", ".join([code for code in _WIDESPREAD if code in known] or sorted(known))
            raise InvalidInput.field(
                "language",
                "is not one that this model knows",
                remedy=f"name one of its {len(known)} languages, such as {some}, or leave it empty",
                code="LANGUAGE_UNKNOWN",
            )

    async def _transcribe(self, recording: bytes, language: str) -> Transcript:
        blocks = audio.decode(recording, field="audio", decode_seconds=self._decode_seconds)
        cut = pieces.cut(blocks)
        segments: list[Segment] = []
        seconds = 0.0
        while piece := await asyncio.to_thread(next, cut, None):
            language, heard = await self._hear(piece, language)
            segments += heard
            seconds = piece.end_seconds
        return Transcript(tuple(segments), language, seconds)

    async def _hear(self, piece: Piece, language: str) -> tuple[str, list[Segment]]:
        stopped = threading.Event()

        def listen() -> tuple[str, list[Segment]]:
            heard = self._transcriber.transcribe(piece.samples, language)
            taken: list[Segment] = []
            for segment in heard.segments:
                if stopped.is_set():
                    break
                taken.append(_placed(segment, piece, taken))
            return heard.language, taken

        try:
            return await self._in_model_thread(listen)
        finally:
            stopped.set()

    def _in_model_thread(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


_WIDESPREAD: Final = ("en", "zh", "es", "ar", "fr", "pt", "de", "ja", "hi", "ru")


def _placed(segment: Segment, piece: Piece, before: list[Segment]) -> Segment:
    # A model may misjudge times; an order that readers can rely on is made here.
    earliest = before[-1].end_seconds if before else piece.start_seconds
    start = min(max(piece.start_seconds + segment.start_seconds, earliest), piece.end_seconds)
    end = min(max(piece.start_seconds + segment.end_seconds, start), piece.end_seconds)
    return Segment(start, end, segment.text)


def _log_loading(loading: asyncio.Future[None]) -> None:
    if not loading.cancelled() and (failed := loading.exception()):
        _log.error("the speech model cannot be loaded", exc_info=failed)
