"""Carries one session: reads messages with bounds, asks the rooms, and keeps no more of what a slow
client does not read than a few pieces. It knows no dialect.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final

from aiohttp import WSMsgType
from google.protobuf.message import Message

from gateway.bridge.exchange import Ask
from gateway.bridge.gauges import Counting
from gateway.bridge.session import (
    Action,
    Actions,
    Close,
    Code,
    Converse,
    Feed,
    Leave,
    Listen,
    Ping,
    Say,
    Session,
)
from gateway.bridge.websocket import WebSocket
from services.chassis import client as rooms
from services.chassis import errors, limits
from services.chassis.pool import Account

_log = logging.getLogger(__name__)

UNSENT: Final = 16
"""How many pieces wait for a client before the room is let wait for it too."""
LINGER_SECONDS: Final = 120.0
"""How long a call goes on for a client that is gone."""
FAILED: Final = Close(Code.FAILED, "something failed inside the mesh")
NO_ROOM: Final = Close(
    Code.TRY_AGAIN_LATER, "what all sockets hold takes too much memory; try again later"
)
SLOW: Final = Close(Code.TRY_AGAIN_LATER, "what was sent was not read for too long")


class Carrier:
    """Carries one session."""

    def __init__(
        self,
        client: WebSocket,
        session: Session,
        stubs: Mapping[str, Any],
        account: Account,
        counting: Counting,
    ) -> None:
        self._client = client
        self._session = session
        self._stubs = stubs
        self._account = account
        self._counting = counting
        self._unsent: deque[Say | Ping | Close] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._call: asyncio.Task[None] | None = None
        self._line: _Line | None = None
        self._eased = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve until the socket is closed, and leave nothing behind."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                with suppress(ConnectionError):
                    self._do(self._session.opened())
                    await self._read()
                await self._linger()
            except Exception:
                _log.exception("a socket failed")
                await self._client.close(FAILED)
            finally:
                for task in (self._sending, self._call):
                    if task:
                        task.cancel()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._session.is_full:
                self._eased.clear()
                await self._eased.wait()
            patience = self._session.patience
            try:
                async with asyncio.timeout_at(patience and loop.time() + patience):
                    message = await self._client.socket.receive()
            except TimeoutError:
                self._do(self._session.ticked())
                continue
            match message.type:
                case WSMsgType.TEXT:
                    self._counting.came()
                    self._do(self._session.text(message.data))
                case WSMsgType.BINARY:
                    self._counting.came()
                    self._do(self._session.binary(message.data))
                case _:
                    return

    async def _linger(self) -> None:
        self._do(self._session.left())
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (call := self._call) and not call.done():
                    await asyncio.wait({call})

    def _do(self, actions: Actions) -> None:
        for action in actions:
            self._act(action)
        if not self._account.hold(self._session.held):
            for action in self._session.shed():
                self._act(action)
            # Of a client that has to wait no more is read, and what it sent is not too much.
            if not (self._account.hold(self._session.held) or self._session.is_full):
                self._put(NO_ROOM)

    def _act(self, action: Action) -> None:
        match action:
            case Say() | Ping() | Close():
                self._put(action)
            case Feed() if self._line:
                self._counting.passed()
                self._line.put(action.request)
            case Leave() if self._call:
                self._call.cancel()
                self._call = None
            case Ask():
                # At once, for what it is to be fed may come with the same message.
                self._line = _Line(action) if isinstance(action, Converse) else None
                self._call = self._tasks.create_task(self._hold(action, self._line))

    def _put(self, said: Say | Ping | Close) -> None:
        for place, waiting in enumerate(self._unsent):
            if _replaces(said, waiting):
                self._unsent[place] = said
                return
        self._unsent.append(said)
        if self._sending is None:
            self._sending = self._tasks.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._unsent:
                said = self._unsent.popleft()
                if isinstance(said, Close):
                    await self._client.close(said)
                    return
                await self._client.send(said)
        except TimeoutError:
            await self._client.close(SLOW)
        except ConnectionError:
            # Whoever reads it knows by now.
            self._client.cut()
        finally:
            self._sending = None

    async def _hold(self, ask: Ask, line: "_Line | None") -> None:
        error = None
        try:
            if isinstance(ask, Converse):
                await asyncio.sleep(ask.after)
            async with aclosing(self._answers(ask, line)) as answers:
                async for answer in answers:
                    self._do(self._session.told(answer))
                    self._eased.set()
                    while len(self._unsent) > UNSENT and self._sending:
                        await asyncio.wait({self._sending})
        except errors.MeshError as failed:
            error = failed
        except Exception:
            _log.exception("a socket failed")
            await self._client.close(FAILED)
            return
        self._call = None
        self._do(self._session.ended(error))
        self._eased.set()

    async def _answers(self, ask: Ask, line: "_Line | None") -> AsyncGenerator[Any, None]:
        method = getattr(self._stubs[ask.service], ask.method)
        if line is None and not isinstance(ask, Listen):
            yield await rooms.call(method, ask.request)
            return
        seconds = None if line else limits.UNARY_DEADLINE.total_seconds()
        asked = rooms.stream(method, line.requests() if line else ask.request, timeout=seconds)
        try:
            async for answer in asked:
                yield answer
        finally:
            await asked.aclose()
            if line:
                line.end()


class _Line:
    """What waits for a room to take it."""

    def __init__(self, opening: Converse) -> None:
        self._first = opening.request
        self._waiting: deque[Message] = deque(maxlen=opening.keeps)
        self._came = asyncio.Event()
        self._is_ended = False

    def put(self, request: Message) -> None:
        self._waiting.append(request)
        self._came.set()

    def end(self) -> None:
        # A call that has ended does not end who writes its requests.
        self._is_ended = True
        self._came.set()

    async def requests(self) -> AsyncIterator[Message]:
        yield self._first
        while not self._is_ended:
            while self._waiting:
                yield self._waiting.popleft()
            self._came.clear()
            await self._came.wait()


def _replaces(said: Say | Ping | Close, waiting: Say | Ping | Close) -> bool:
    match said, waiting:
        case Say(instead=new), Say(instead=old):
            return bool(new) and new == old
        case _:
            return isinstance(said, Ping) and isinstance(waiting, Ping)
