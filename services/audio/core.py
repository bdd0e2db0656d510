"""Transcribes recordings and live speech: with one model, which is loaded once, in fair turns, and
never on the event loop. It knows neither the wire nor an engine.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Self

from services.audio import pieces
from services.audio.domain import (
    Model,
    Reached,
    Received,
    Segment,
    Transcription,
    Wish,
)
from services.audio.live import Chunk, End, Opening, Resumption, Told
from services.audio.ports import Diarization, Diarizer, Transcriber
from services.audio.recordings import Recordings
from services.audio.session import Session
from services.audio.sessions import Bounds, Sessions
from services.audio.turns import Turns
from services.chassis import limits
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import InvalidInput, Unavailable
from services.media import audio

_log = logging.getLogger(__name__)

_LOADING: Final = timedelta(seconds=2)


class Audio:
    """Hears. An async context manager: it starts to load the model at entry, without waiting."""

    def __init__(
        self,
        transcriber: Transcriber,
        diarizer: Diarizer | None = None,
        *,
        recordings_at_once: int = 8,
        spooled_bytes: int = limits.RECORDING_BYTES,
        decode_seconds: float = audio.DECODE_SECONDS,
        bounds: Bounds | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._transcriber = transcriber
        self._diarizer = diarizer
        bounds = bounds or Bounds()
        self._clock = clock or SystemClock()
        self._turns = Turns(transcriber.hear, most=transcriber.most_together, clock=self._clock)
        self._sessions = Sessions(bounds, self._turns, self._session)
        self._recordings = Recordings(
            transcriber,
            self._turns,
            diarization=self._diarization,
            piece_seconds=self._piece_seconds,
            at_once=recordings_at_once,
            spooled_bytes=spooled_bytes,
            idle_seconds=bounds.idle_seconds,
            decode_seconds=decode_seconds,
            clock=self._clock,
        )

    async def __aenter__(self) -> Self:
        load = self._turns.take(self._transcriber.load, since=0.0)
        self._loading = asyncio.create_task(load)
        self._loading.add_done_callback(_log_loading)
        if self._diarizer:
            self._diarizer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sessions.close()
        self._loading.cancel()
        self._turns.close()
        if self._diarizer:
            await self._diarizer.close()

    async def health(self) -> None:
        """Raise unless the model is loaded."""
        if not self._loading.done():
            raise Unavailable("the speech model is still being loaded", retry_after=_LOADING)
        self._loading.result()

    async def model(self) -> Model:
        """Tell which model answers and whether it is loaded."""
        ready = self._loading.done() and self._loading.exception() is None
        return Model(self._transcriber.name, self._transcriber.engine, ready)

    async def transcribe(self, recording: bytes, wish: Wish = Wish()) -> Transcription:  # noqa: B008 - frozen
        """Put a recording into words.

        Cancelling it stops its work at the next segment. Raises `Exhausted` at once when too many
        recordings are under way.
        """
        async with aclosing(self.follow(recording, wish)) as told:
            *_, last = [each async for each in told if isinstance(each, Transcription)]
        return last

    async def follow(
        self,
        recording: bytes,
        wish: Wish = Wish(),  # noqa: B008 - frozen
    ) -> AsyncGenerator[Reached | Segment | Transcription, None]:
        """Put a recording into words, and tell meanwhile each segment and how far it is, that at
        least every ten seconds; last the whole, whose segments alone say who speaks.

        Closing it stops its work at the next segment. Raises as `transcribe` does.
        """
        with self._recordings.place():
            await self._loaded(wish)
            async with aclosing(self._recordings.follow(recording, wish)) as told:
                async for each in told:
                    yield each

    async def follow_sent(
        self, messages: AsyncIterator[Chunk | End], wish: Wish, *, field: str = "chunk"
    ) -> AsyncGenerator[Received | Reached | Segment | Transcription, None]:
        """Do as `follow` does with a recording that is sent in pieces, and tell of each how much
        has come. Raises as it does, and as `arriving.kept` does.
        """
        with self._recordings.place():
            await self._loaded(wish)
            async with aclosing(self._recordings.follow_sent(messages, wish, field)) as told:
                async for each in told:
                    yield each

    async def listen(
        self, asked: Opening | Resumption, tenant: str, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Told, None]:
        """Serve one stream of a live session. Raises as `Sessions.stream` does."""
        await self._loaded(asked.wish if isinstance(asked, Opening) else Wish())
        async with aclosing(self._sessions.stream(asked, tenant, messages)) as told:
            async for each in told:
                yield each

    def _session(self, opening: Opening, tenant: str) -> Session:
        return Session(
            opening,
            tenant,
            transcriber=self._transcriber,
            diarization=self._diarization(),
            turns=self._turns,
            clock=self._clock,
        )

    def _diarization(self) -> Diarization | None:
        return self._diarizer.listen() if self._diarizer else None

    async def _loaded(self, wish: Wish) -> None:
        # Shielded: the load belongs to everybody, and goes on when one caller leaves.
        await asyncio.shield(self._loading)
        known = self._transcriber.languages()
        if wish.language and wish.language not in known:
            some = ", ".join([code for code in _WIDESPREAD if code in known] or sorted(known))
            raise InvalidInput.field(
                "language",
                "is not one that this model knows",
                remedy=f"name one of its {len(known)} languages, such as {some}, or leave it empty",
                code="LANGUAGE_UNKNOWN",
            )

    def _piece_seconds(self) -> float:
        return pieces.SHARED_SECONDS if self._sessions.live else pieces.PIECE_SECONDS


_WIDESPREAD: Final = ("en", "zh", "es", "ar", "fr", "pt", "de", "ja", "hi", "ru")


def _log_loading(loading: asyncio.Future[None]) -> None:
    if not loading.cancelled() and (failed := loading.exception()):
        _log.error("the speech model cannot be loaded", exc_info=failed)
