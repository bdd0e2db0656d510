"""Streams of frames, so many at once, in so much memory. It knows neither the contract nor which
engine answers.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

from services.chassis.clock import Clock
from services.chassis.errors import Exhausted
from services.chassis.pool import Account, Pool
from services.engine.chat import Chat
from services.vision.config import VisionConfig
from services.vision.live.carrier import Asked, Carrier
from services.vision.live.domain import Reply
from services.vision.live.gauges import Gauges
from services.vision.live.stream import Stream

_FULL_AGAIN: Final = timedelta(seconds=5)


class Watcher:
    """Answers streams of frames, so many at once, in so much memory."""

    def __init__(self, chat: Chat, config: VisionConfig, clock: Clock) -> None:
        self._chat = chat
        self._config = config
        self._clock = clock
        self._streams = 0
        pool = self._pool = Pool(config.stream_bytes, holders=config.streams)
        self._gauges = Gauges(streams=lambda: self._streams, held=lambda: pool.held)

    @asynccontextmanager
    async def watch(self, asked: AsyncIterator[Asked]) -> AsyncIterator[AsyncIterator[Reply]]:
        """Answer a stream of frames in a block, until it ends and all is told; leaving the block
        stops the engine's work.

        Raises `Exhausted` at once when too many streams are open; the replies raise only what
        reading raises.
        """
        with self._place() as account:
            stream = Stream(account, threshold=self._config.change_threshold)
            carrier = Carrier(stream, self._chat, self._config, self._clock, self._gauges)
            async with aclosing(carrier.replies(asked)) as replies:
                yield replies

    @contextmanager
    def _place(self) -> Iterator[Account]:
        if self._streams >= self._config.streams:
            self._gauges.refused()
            raise Exhausted(
                f"{self._streams} streams are open, and no more may be",
                remedy="close one, or try again after the time told",
                code="TOO_MANY_STREAMS",
                retry_after=_FULL_AGAIN,
            )
        self._streams += 1
        try:
            with self._pool.account() as account:
                yield account
        finally:
            self._streams -= 1
