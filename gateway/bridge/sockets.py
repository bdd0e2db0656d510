"""All WebSockets of a process: at which addresses, for whom, and how many. It knows no dialect.

The edge checks keys but lets sockets in whose key it refuses, for a client can read the code of a
socket that is closed and not the status of one that never opened. It marks them by a header.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from opentelemetry import propagate, trace

from gateway.bridge.carrier import FAILED, Carrier
from gateway.bridge.session import Close, Code, Socket
from gateway.bridge.websocket import WebSocket
from services.chassis import call, errors, names

NO_KEY: Final = Close(
    Code.POLICY,
    "the key is missing or not accepted; send a valid one as '?api_key=' or as a bearer token",
)
FULL: Final = Close(Code.TRY_AGAIN_LATER, "too many sockets are open; try again later")
GOING: Final = Close(Code.GOING_AWAY, "the bridge is going away; connect again")


class Sockets:
    """All sockets of a process, `most` at a time."""

    def __init__(self, served: Iterable[Socket], stubs: Mapping[str, Any], *, most: int) -> None:
        self._served = {it.path: it for it in served}
        self._stubs = stubs
        self._most = most
        self._open: set[WebSocket] = set()

    def at(self, path: str) -> Socket | None:
        """The socket that is served at a path."""
        return self._served.get(path)

    async def carry(self, served: Socket, request: web.Request) -> web.StreamResponse:
        """Serve one client until it leaves or is closed."""
        client = WebSocket(request)
        await client.socket.prepare(request)
        refused = self._refusal(request)
        try:
            session = None if refused else served.open(request.query)
        except errors.InvalidInput as wrong:
            refused = Close(Code.POLICY, str(wrong))
        if refused or session is None:
            await client.close(refused or FAILED)
            return client.socket
        self._open.add(client)
        try:
            with _span(served, request), call.use(_call(served, request)):
                await Carrier(client, session, self._stubs).run()
        finally:
            self._open.discard(client)
        return client.socket

    async def close(self, application: web.Application) -> None:
        """Tell every client that the bridge goes away."""
        await asyncio.gather(*(client.close(GOING) for client in tuple(self._open)))

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


def _span(served: Socket, request: web.Request) -> Any:
    return trace.get_tracer(__name__).start_as_current_span(
        f"WS {served.path}",
        propagate.extract(request.headers),
        trace.SpanKind.SERVER,
        {"http.request.method": "GET", "http.route": served.path},
    )
