"""The client's end of a WebSocket: sends what is said, waits for a slow reader for so long and no
longer, and closes so that the code arrives.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web

from gateway.bridge.session import Close, Code, Ping, Say
from services.chassis import limits

HEARTBEAT_SECONDS: Final = 30.0
"""How long a client may be silent before it is pinged; half as long again, and it is gone."""
CLOSE_SECONDS: Final = 5.0
"""How long a client has to answer the end of its socket."""
LINGER_SECONDS: Final = 1.0
"""How long the rest of a message that is over the limit is read and thrown away."""


class _Response(web.WebSocketResponse):
    """A WebSocket that tells whoever still sends a message that it is over the limit."""

    def __init__(self, protocols: Iterable[str]) -> None:
        # Pictures are compressed already, and a window for it is memory for each socket.
        super().__init__(
            timeout=CLOSE_SECONDS,
            protocols=protocols,
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
            # The library refuses what is as large as it is told.
            max_msg_size=limits.SOCKET_MESSAGE_BYTES + 1,
        )

    async def close(
        self, *, code: int = Code.NORMAL, message: bytes = b"", drain: bool = True
    ) -> bool:
        """Close; but not while the rest of a message comes in unread, for then the system would
        take back what was sent.
        """
        if code == Code.TOO_LARGE and not self.closed:
            reason = f"a message is {limits.SOCKET_MESSAGE_BYTES // limits.MEBIBYTE} MiB at most"
            with suppress(ConnectionError):
                await self.send_frame(code.to_bytes(2, "big") + reason.encode(), WSMsgType.CLOSE)
                await asyncio.sleep(LINGER_SECONDS)
        return await super().close(code=code, message=message, drain=drain)


class WebSocket:
    """The client's end of a socket, who may ask for one of some subprotocols. `closes` is told the
    code of each close from our side.
    """

    def __init__(
        self, request: web.Request, closes: Callable[[Code], None], protocols: Iterable[str]
    ) -> None:
        self._request = request
        self._closes = closes
        self.socket = _Response(protocols)

    async def send(self, said: Say | Ping) -> None:
        """Send, and wait while the client reads what was sent before. Raises `TimeoutError`."""
        async with asyncio.timeout(limits.UNREAD_DEADLINE.total_seconds()):
            match said:
                case Ping():
                    await self.socket.ping(said.data)
                case Say(data=str(text)):
                    await self.socket.send_str(text)
                case Say(data=bytes(data)):
                    await self.socket.send_bytes(data)

    async def close(self, told: Close) -> None:
        """Close with a code, and cut who does not take note of it."""
        self._closes(told.code)
        try:
            async with asyncio.timeout(2 * CLOSE_SECONDS):
                await self.socket.close(code=told.code, message=told.reason.encode()[:123])
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self.cut()

    def cut(self) -> None:
        """Give back what the system holds for this socket, sent or not."""
        if self._request.transport is not None:
            # Closing alone would wait for what is unsent to be read.
            self._request.transport.abort()
