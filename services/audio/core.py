"""Transcribes recordings and live speech: fairly, one model pass at a time, and never on the event
loop. It knows neither the wire nor an engine. It is long because recordings and sessions share the
model, its loading and its turns.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, Self

from services.audio import arriving, pieces, speakers
from services.audio.domain import (
    Model,
    Reached,
    Received,
    Segment,
    Transcript,
    Transcription,
    Wish,
)
from services.audio.live import Chunk, End, Opening, Resumption, Told
from services.audio.pieces import Piece
from services.audio.ports import Asked, Diarization, Diarizer, Heard, Transcriber
from services.audio.session import Session
from services.audio.sessions import Bounds, Sessions
from services.audio.signs import signs
from services.audio.turns import Turns
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Exhausted, InvalidInput, Unavailable
from services.media import audio
from services.media.spool import Shelf, Spool

_log = logging.getLogger(__name__)

RETRY_AFTER: Final = timedelta(seconds=10)
"""About one piece of speech on two cores; then a place may be free."""
SIGN_SECONDS: Final = 10.0
"""After so long without anything new, who waits for a recording is told how far it is once more."""
_LOADING: Final = timedelta(seconds=2)
_TURN_SECONDS: Final = 0.5
"""After so long a recording lets others go first; a batch that has begun is longer."""
_PATIENCE_SECONDS: Final = 5.0
"""How long who speaks live goes before a recording that waits."""


class Audio:
    """Hears. An async context manager: it starts to load the model at entry, without waiting."""

    def __init__(
        self,
        transcriber: Transcriber,
        diarizer: Diarizer | None = None,
        *,
        recordings_at_once: int = 8,
        spooled_bytes: int = arriving.SPOOLED_BYTES,
        decode_seconds: float = audio.DECODE_SECONDS,
        bounds: Bounds | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._transcriber = transcriber
        self._diarizer = diarizer
        self._free_places = recordings_at_once
        self._shelf = Shelf(spooled_bytes)
        self._decode_seconds = decode_seconds
        self._bounds = bounds or Bounds()
        self._clock = clock or SystemClock()
        self._turns = Turns(transcriber.hear, most=transcriber.most_together, clock=self._clock)
        self._sessions = Sessions(self._bounds, self._turns, self._session)

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
        with self._place():
            async with aclosing(self._followed(recording, wish)) as told:
                async for each in told:
                    yield each

    async def follow_sent(
        self, messages: AsyncIterator[Chunk | End], wish: Wish, *, field: str = "chunk"
    ) -> AsyncGenerator[Received | Reached | Segment | Transcription, None]:
        """Do as `follow` does with a recording that is sent in pieces, and tell of each how much
        has come. Raises as it does, and as `arriving.kept` does.
        """
        with self._place():
            await self._loaded(wish)
            async with self._shelf.spool(field) as spool:
                idle = self._bounds.idle_seconds
                async for size in arriving.kept(messages, spool, idle_seconds=idle):
                    yield Received(size)
                async with aclosing(self._followed(spool, wish)) as told:
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

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._free_places:
            raise Exhausted("too many recordings are being transcribed", retry_after=RETRY_AFTER)
        self._free_places -= 1
        try:
            yield
        finally:
            self._free_places += 1

    async def _followed(
        self, recording: bytes | Spool, wish: Wish
    ) -> AsyncGenerator[Reached | Segment | Transcription, None]:
        started, reached = self._clock.monotonic(), Reached(0.0)
        await self._loaded(wish)
        async with aclosing(signs(self._heard(recording, wish), SIGN_SECONDS)) as heard:
            async for each in heard:
                match each:
                    case None:
                        yield reached
                    case Transcript():
                        seconds = self._clock.monotonic() - started
                        yield Transcription(each, timedelta(seconds=seconds))
                    case Reached():
                        reached = each
                        yield reached
                    case Segment():
                        yield each

    async def _heard(
        self, recording: bytes | Spool, wish: Wish
    ) -> AsyncGenerator[Reached | Segment | Transcript, None]:
        diarization = self._diarization()
        try:
            async with aclosing(self._pieces(recording, wish, diarization)) as told:
                async for each in told:
                    if isinstance(each, Transcript):
                        yield await speakers.told_apart(each, diarization)
                    else:
                        yield each
        finally:
            if diarization:
                diarization.close()

    async def _pieces(
        self, recording: bytes | Spool, wish: Wish, diarization: Diarization | None
    ) -> AsyncGenerator[Reached | Segment | Transcript, None]:
        segments: list[Segment] = []
        seconds = 0.0
        asked = Asked(wish.language, wish.hints)
        if isinstance(recording, Spool):
            blocks = audio.decode_file(recording, decode_seconds=self._decode_seconds)
        else:
            blocks = audio.decode(recording, field="audio", decode_seconds=self._decode_seconds)
        async with aclosing(blocks):
            async for piece in pieces.cut(blocks, seconds=self._piece_seconds):
                if diarization:
                    diarization.feed(piece.samples)
                language, heard = await self._hear(piece, asked)
                segments += heard
                seconds = piece.end_seconds
                for segment in heard:
                    yield segment
                lasts = recording.estimate(seconds) if isinstance(recording, Spool) else 0.0
                yield Reached(seconds, lasts)
                asked = replace(asked, language=asked.language or language)
                if diarization:
                    await diarization.room()
        yield Transcript(tuple(segments), asked.language, seconds)

    def _piece_seconds(self) -> float:
        return pieces.SHARED_SECONDS if self._sessions.live else pieces.PIECE_SECONDS

    async def _hear(self, piece: Piece, asked: Asked) -> tuple[str, list[Segment]]:
        stopped, taken, heard = threading.Event(), list[Segment](), list[Heard]()

        def listen() -> bool:
            started = self._clock.monotonic()
            if not heard:
                heard.append(self._transcriber.transcribe(piece.samples, asked))
            for segment in heard[0].segments:
                if stopped.is_set():
                    break
                taken.append(pieces.placed(segment, piece, taken))
                if self._clock.monotonic() - started > _TURN_SECONDS:
                    return True
            return False

        try:
            while await self._turns.take(listen, since=self._clock.monotonic() + _PATIENCE_SECONDS):
                pass
        finally:
            stopped.set()
        return heard[0].language, taken


_WIDESPREAD: Final = ("en", "zh", "es", "ar", "fr", "pt", "de", "ja", "hi", "ru")


def _log_loading(loading: asyncio.Future[None]) -> None:
    if not loading.cancelled() and (failed := loading.exception()):
        _log.error("the speech model cannot be loaded", exc_info=failed)
