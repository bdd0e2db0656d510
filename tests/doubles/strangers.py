"""The web as strangers make it: a server of good and hostile answers, and names that resolve to
whatever a test says.
"""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import Handler

from tests.doubles.http import served

MEBIBYTE = 1024 * 1024


class Names(AbstractResolver):
    """A name server: each name has its answers, one after the other, the last for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(told) for name, told in answers.items()}
        self.asked: list[str] = []
        """The names that were asked for, in order."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        told = self._answers.get(host.lower().rstrip("."))
        if not told:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = told.pop(0) if len(told) > 1 else told[0]
        return [_result(host, port, it) for it in addresses]

    async def close(self) -> None:
        pass


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )


class Stranger:
    """What a test holds of a running server; each address below is a path of it."""

    def __init__(self) -> None:
        self.port = 0
        self.body = b"a picture"
        """What `/file` gives."""
        self.requests: list[web.Request] = []
        """What came."""
        self.asked = asyncio.Event()
        """Set when something has come."""
        self.left = asyncio.Event()
        """Set when a client left before its answer was whole."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def file(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self.body, content_type="image/png")

    async def status(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=int(request.match_info["status"]))

    async def moved(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def hops(self, request: web.Request) -> web.StreamResponse:
        left = int(request.match_info["left"])
        target = f"/hops/{left - 1}" if left else "/file"
        return web.Response(status=307, headers={"Location": target})

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(MEBIBYTE))

    async def silent(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        await asyncio.Event().wait()
        return response

    async def bomb(self, request: web.Request) -> web.StreamResponse:
        packed = gzip.compress(bytes(64 * MEBIBYTE))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def claims(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        length = request.match_info["length"].encode()
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nabc")
        request.transport.close()
        return web.Response()

    async def gibberish(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"220 mail.example ESMTP\r\n")
        request.transport.close()
        return web.Response()


@asynccontextmanager
async def stranger() -> AsyncIterator[Stranger]:
    """Run a server on a free port of loopback for a block."""
    server = Stranger()

    @web.middleware
    async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
        server.requests.append(request)
        server.asked.set()
        try:
            return await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            server.left.set()
            raise

    app = web.Application(middlewares=[noted])
    app.add_routes(
        [
            web.get("/file", server.file),
            web.get("/status/{status}", server.status),
            web.get("/moved", server.moved),
            web.get("/hops/{left}", server.hops),
            web.get("/endless", server.endless),
            web.get("/silent", server.silent),
            web.get("/bomb", server.bomb),
            web.get("/claims/{length}", server.claims),
            web.get("/gibberish", server.gibberish),
        ]
    )
    async with served(app, handler_cancellation=True) as address:
        server.port = int(address.rpartition(":")[2])
        yield server
