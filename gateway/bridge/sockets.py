"""All WebSockets of a process: at which addresses, for whom, how many, and in how much memory. It
knows no dialect.

The edge checks keys but lets sockets in whose key it refuses, for a client can read the code of a
socket that is closed and not the status of one that never opened. It marks them by a header.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from aiohttp import web

from gateway.bridge.carrier import FAILED, Carrier
from gateway.bridge.gauges import Gauges
from gateway.bridge.session import Close, Code, Socket
from gateway.bridge.websocket import WebSocket
from services.chassis import call, errors, names, telemetry
from services.chassis.pool import Pool

NO_KEY: Final = Close(
    Code.POLICY,
    "the key is missing or not accepted; send a valid one as '?api_key=' or as a bearer token",
)
FULL: Final = Close(Code.TRY_AGAIN_LATER, "too many sockets are open; try again later")
REFUSING: Final = 256
"""How many sockets are told at once why they are refused, each of which may take seconds; further
ones are refused before they open.
"""
GOING: Final = Close(Code.GOING_AWAY, "the bridge is going away; connect again")


class Sockets:
    """All sockets of a process, `most` at a time, which hold `most_bytes` of pictures."""

    def __init__(
        self, served: Iterable[Socket], stubs: Mapping[str, Any], *, most: int, most_bytes: int
    ) -> None:
        self._served = {it.path: it for it in served}
        self._stubs = stubs
        self._most = most
        self._open: dict[WebSocket, str] = {}
        self._refusing = 0
        pool = self._pool = Pool(most_bytes, holders=most)
        self._gauges = Gauges(opened=self._count, held=lambda: pool.held)
        self._counting = {path: self._gauges.counting(path) for path in self._served}

    def at(self, path: str) -> Socket | None:
        """The socket that is served at a path."""
        return self._served.get(path)

    async def carry(self, served: Socket, request: web.Request) -> web.StreamResponse:
        """Serve one client until it leaves or is closed."""
        refused = self._refusal(request)
        try:
            session = None if refused else served.open(request.query)
        except errors.InvalidInput as wrong:
            refused = Close(Code.POLICY, str(wrong))
        if refused or session is None:
            return await self._refuse(served, request, refused or FAILED)
        client = WebSocket(request, self._gauges.closed, served.protocols)
        # Counted from here on, for a client may take its time to shake hands.
        self._open[client] = served.path
        try:
            await client.socket.prepare(request)
            with (
                _traced(served, request),
                call.use(_call(served, request)),
                self._pool.account() as account,
            ):
                counting = self._counting[served.path]
                await Carrier(client, session, self._stubs, account, counting).run()
        finally:
            del self._open[client]
        return client.socket

    async def close(self, application: web.Application) -> None:
        """Tell every client that the bridge goes away."""
        await asyncio.gather(*(client.close(GOING) for client in tuple(self._open)))

    async def _refuse(self, served: Socket, request: web.Request, why: Close) -> web.StreamResponse:
        if self._refusing >= REFUSING:
            self._gauges.closed(why.code)
            status = 401 if why is NO_KEY else 503
            return web.Response(text=why.reason, status=status)
        self._refusing += 1
        try:
            client = WebSocket(request, self._gauges.closed, served.protocols)
            await client.socket.prepare(request)
            await client.close(why)
        finally:
            self._refusing -= 1
        return client.socket

    def _count(self) -> Mapping[str, int]:
        counts = Counter(self._open.values())
        return {path: counts[path] for path in self._served}

    def _refusal(self, request: web.Request) -> Close | None:
        if is_refused(request):
            return NO_KEY
        return FULL if len(self._open) >= self._most else None


def is_refused(request: web.Request) -> bool:
    """Whether the edge has let a request in only to be told that its key is refused."""
    return request.headers.get(names.KEY_HEADER) == names.KEY_REFUSED


def _call(served: Socket, request: web.Request) -> call.Call:
    tenant = request.headers.get(names.TENANT_HEADER) or names.DEFAULT_TENANT
    asked = call.Priority.read(request.headers.get(names.PRIORITY_HEADER, ""))
    priority = call.Priority.JOB if asked is call.Priority.JOB else call.Priority.LIVE
    return call.Call(f"WS {served.path}", tenant, priority)


def _traced(served: Socket, request: web.Request) -> AbstractContextManager[object]:
    where = {"http.request.method": "GET", "http.route": served.path}
    return telemetry.receiving(f"WS {served.path}", request.headers, where)
