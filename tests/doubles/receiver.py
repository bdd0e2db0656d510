"""Receivers of webhooks, over real HTTP: they note every message and answer what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.doubles.http import served


@dataclass(frozen=True)
class Message:
    """A message as it arrived."""

    headers: dict[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers each message with the next of `answers`, and with the last of them for ever: a
    status, a response, or None to close the connection.
    """

    answers: list[int | web.Response | None] = field(default_factory=lambda: [200])
    received: list[Message] = field(default_factory=list)
    address: str = ""
    """As host:port."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is clear nothing is answered."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://{self.address}/done?token=hush"

    @property
    def ids(self) -> list[str]:
        return [it.id for it in self.received]

    async def until(self, enough: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until `enough` has come."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(enough)

    async def heard(self, count: int) -> None:
        """Wait until so many messages have come."""
        await self.until(lambda: len(self.received) >= count)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Message(headers, await request.read())
        async with self._changed:
            self.received.append(message)
            self._changed.notify_all()
        await self.opened.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer if isinstance(answer, web.Response) else web.Response(status=answer)


@asynccontextmanager
async def receiving(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """Run a receiver for a block."""
    receiver = Receiver()
    receiver.opened.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    async with served(app, host=host) as receiver.address:
        try:
            yield receiver
        finally:
            receiver.opened.set()
