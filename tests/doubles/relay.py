"""Not a double but a wire: passes bytes between a client and a server, and fails on demand as a
network or a dying server does. It knows no protocol.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit


class Trouble(StrEnum):
    """What becomes of a connection."""

    CUT = "cut"
    """Both sides are closed."""
    SILENCE = "silence"
    """It stays open, and nothing comes any more."""
    GARBAGE = "garbage"
    """Other bytes come instead of the server's."""


@dataclass
class Fault:
    """Trouble for every connection, once so many bytes have come from the server on it."""

    trouble: Trouble
    after: int = 0


@dataclass
class Relay:
    """What a test holds of a running relay."""

    url: str = ""
    fault: Fault | None = None
    """Set and taken away at any time; bytes count from when it is set."""
    _clients: set[asyncio.StreamWriter] = field(default_factory=set)

    def drop(self) -> None:
        """Close the connections that are open now."""
        for client in self._clients:
            client.close()

    async def serve(
        self, host: str, port: int, reader: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        """Pass one connection on until a side closes it."""
        try:
            answers, server = await asyncio.open_connection(host, port)
        except OSError:
            client.close()
            return
        self._clients.add(client)
        try:
            both = (_pass(reader, server), self._pass_answers(answers, client))
            tasks = [asyncio.ensure_future(it) for it in both]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._clients.discard(client)
            client.close()
            server.close()

    async def _pass_answers(
        self, source: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        counted, passed = None, 0
        while data := await source.read(65_536):
            fault = self.fault
            if fault is not counted:
                counted, passed = fault, 0
            if fault is None or passed + len(data) <= fault.after:
                passed += len(data)
                client.write(data)
                await client.drain()
                continue
            whole = max(fault.after - passed, 0)
            client.write(data[:whole])
            passed += whole
            await client.drain()
            match fault.trouble:
                case Trouble.CUT:
                    return
                case Trouble.SILENCE:
                    await asyncio.Event().wait()
                case Trouble.GARBAGE:
                    client.write(b"\xff\x00garbage\r\n" * (1 + len(data) // 10))


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[Relay]:
    """Stand before the server at `url` for a block; at its end nobody listens any more."""
    split = urlsplit(url)
    assert split.hostname
    assert split.port
    running, host, port = Relay(), split.hostname, split.port

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await running.serve(host, port, reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    at = server.sockets[0].getsockname()[1]
    running.url = urlunsplit(split._replace(netloc=f"127.0.0.1:{at}"))
    try:
        yield running
    finally:
        server.close()
        running.drop()
        await server.wait_closed()
