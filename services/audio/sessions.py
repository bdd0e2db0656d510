"""All live sessions of the room: who may open one, who may take one up again, and when one is
forgotten. It knows neither the wire nor an engine.
"""

import asyncio
import hmac
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.audio.live import Chunk, End, Opening, Ready, Resumption, Told
from services.audio.ports import Heard, Stretch
from services.audio.session import Session, Stream
from services.audio.turns import Turns
from services.chassis.errors import (
    Conflict,
    Exhausted,
    Internal,
    InvalidInput,
    MeshError,
    NotFound,
    Precondition,
    TimedOut,
)

_log = logging.getLogger(__name__)

_RETRY_AFTER: Final = timedelta(seconds=15)
"""About as long as people speak in one go; then a place may be free."""


@dataclass(frozen=True)
class Bounds:
    """What live sessions may take up."""

    sessions: int = 16
    """Those with a stream."""
    kept: int = 16
    """Those without. Over that, who keeps most loses their oldest."""
    kept_seconds: float = 120.0
    """How long one is kept without a stream."""
    idle_seconds: float = 60.0
    """How long a stream may say nothing."""
    lag_seconds: float = 10.0
    """How long a session may have to wait for its turn at the model."""


@dataclass
class _Place:
    session: Session
    life: asyncio.Task[None]
    stream: Stream | None = None
    expiry: asyncio.TimerHandle | None = None


class Sessions:
    """Opens, keeps and forgets sessions."""

    def __init__(
        self,
        bounds: Bounds,
        turns: Turns[Stretch, Heard],
        make: Callable[[Opening, str], Session],
    ) -> None:
        self._bounds = bounds
        self._turns = turns
        self._make = make
        self._places: dict[str, _Place] = {}
        self._lives = set[asyncio.Task[None]]()

    @property
    def live(self) -> int:
        """How many sessions have a stream."""
        return sum(place.stream is not None for place in self._places.values())

    def __len__(self) -> int:
        """How many sessions there are, with a stream or without."""
        return len(self._places)

    async def close(self) -> None:
        """End all sessions."""
        for session_id in list(self._places):
            self._forget(session_id)
        await asyncio.gather(*self._lives, return_exceptions=True)

    async def stream(
        self, asked: Opening | Resumption, tenant: str, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Told, None]:
        """Serve one stream from its first answer to its last. Raises `Exhausted` when there is no
        place, `NotFound` when there is no such session, and what becomes of the session.
        """
        known = asked.segments if isinstance(asked, Resumption) else 0
        async with self._held(asked, tenant) as (session, stream):
            kept_for = timedelta(seconds=self._bounds.kept_seconds)
            yield Ready(session.id, session.token, session.received, kept_for)
            taking = asyncio.create_task(self._take_all(session, messages, stream))
            try:
                async with aclosing(session.follow(known, stream)) as told:
                    async for each in told:
                        yield each
            finally:
                taking.cancel()
                await asyncio.wait((taking,))

    async def _take_all(
        self, session: Session, messages: AsyncIterator[Chunk | End], stream: Stream
    ) -> None:
        try:
            while not isinstance(message := await self._next(messages), End):
                await session.accept(message)
            await session.end()
        except MeshError as failed:
            session.fail_stream(stream, failed)
        except Exception:
            # Or who follows would wait for ever for words of audio that nobody takes.
            _log.exception("a stream of audio failed")
            remedy = "take the session up again; the cause is in the audio room's log"
            told = Internal("the stream failed inside the audio room", remedy=remedy)
            session.fail_stream(stream, told)

    async def _next(self, messages: AsyncIterator[Chunk | End]) -> Chunk | End:
        seconds = self._bounds.idle_seconds
        try:
            async with asyncio.timeout(seconds):
                return await anext(messages)
        except TimeoutError:
            raise TimedOut(
                f"nothing was sent for {seconds:g} seconds",
                remedy="send silence too, or `end`; the session can be taken up again",
            ) from None
        except StopAsyncIteration:
            # A stream that breaks off looks the same for a moment: it must not end the session.
            raise InvalidInput(
                "the stream of requests stopped without `end`",
                remedy="say `end` when no more audio follows; the session can be taken up again",
                code="END_MISSING",
            ) from None

    @asynccontextmanager
    async def _held(
        self, asked: Opening | Resumption, tenant: str
    ) -> AsyncIterator[tuple[Session, Stream]]:
        if isinstance(asked, Opening):
            place = self._open(asked, tenant)
        else:
            place = self._found(asked, tenant)
        if place.stream is not None:
            # The client knows best which of its streams is alive: the old one may hang for minutes.
            taken = Conflict("the session was taken up by another stream")
            place.session.fail_stream(place.stream, taken)
        if place.expiry is not None:
            place.expiry.cancel()
        stream = place.stream = Stream()
        try:
            yield place.session, stream
        finally:
            if place.stream is stream:
                place.stream = None
                self._keep(place)

    def _open(self, opening: Opening, tenant: str) -> _Place:
        self._check_load()
        session = self._make(opening, tenant)
        place = _Place(session, asyncio.create_task(session.run()))
        self._lives.add(place.life)
        place.life.add_done_callback(self._lives.discard)
        self._places[session.id] = place
        return place

    def _check_load(self) -> None:
        expected = (self.live + 1) * self._turns.mean_seconds
        # Who speaks alone is let in however slow turns were: none but live turns tell of better.
        in_time = not self.live or expected <= self._bounds.lag_seconds
        if self.live < self._bounds.sessions and in_time:
            return
        raise Exhausted(
            "too many people speak at once",
            remedy="try again later, or record the audio and send it to TranscribeUpload",
            retry_after=_RETRY_AFTER,
        )

    def _found(self, asked: Resumption, tenant: str) -> _Place:
        place = self._places.get(asked.session_id)
        known = (
            place is not None
            and place.session.tenant == tenant
            and hmac.compare_digest(place.session.token.encode(), asked.token.encode())
        )
        if place is None or not known:
            raise NotFound(
                "there is no such session to take up again",
                remedy="open a new one: a session is kept for a while, for its own token alone",
            )
        session = place.session
        if asked.acknowledged > session.received:
            raise Precondition(
                f"{asked.acknowledged} bytes were acknowledged, but {session.received} are held",
                remedy="open a new session and send the audio again",
            )
        return place

    def _keep(self, place: _Place) -> None:
        # Why a session failed is lost on who is just writing to it, and asks by taking it up again.
        if place.session.failure and place.session.failure.passes:
            self._forget(place.session.id)
            return
        loop = asyncio.get_running_loop()
        place.expiry = loop.call_later(self._bounds.kept_seconds, self._forget, place.session.id)
        left = [it for it in self._places.values() if it.stream is None and it.expiry]
        if len(left) > self._bounds.kept:
            shares = Counter(it.session.tenant for it in left)
            # Of who keeps most, so that nobody's are lost to somebody else's; first what is over,
            # of which only the answer can still be missed.
            gone = min(
                left,
                key=lambda it: (-shares[it.session.tenant], not it.session.is_over, _expires(it)),
            )
            self._forget(gone.session.id)

    def _forget(self, session_id: str) -> None:
        if place := self._places.pop(session_id, None):
            if place.expiry is not None:
                place.expiry.cancel()
            if not place.session.is_over:  # Else it is tidying up, which must not be cut short.
                place.session.give_up()
                place.life.cancel()


def _expires(place: _Place) -> float:
    return place.expiry.when() if place.expiry else 0.0
