"""A camera's RTSP server on loopback: a picture that moves, as RTP over its client's connection.

The packets are FFmpeg's, so that only the conversation is a double. It can die and come back at the
same address.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from typing import Any

import av
from PIL import Image

from tests.doubles.videos import shade

RATE = 20
SIZE = (64, 48)
PAYLOADS = {"mjpeg": "26", "libx264": "96\r\na=rtpmap:96 H264/90000"}
"""Each codec as its description names it."""


class Camera:
    """Serves whoever plays; used once for each `running`."""

    def __init__(self, codec: str) -> None:
        self.url = ""
        self.played = asyncio.Event()
        self._codec = codec
        self._port = 0
        self._players: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, at the same address as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self._port}/live"

    def die(self) -> None:
        """Cut every client, and listen no more."""
        self.played.clear()
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.transport.abort()

    def forward(self, packet: bytes) -> None:
        """Send a packet to whoever plays; a client that does not read misses some."""
        for player in self._players:
            if player.transport.get_write_buffer_size() < 1 << 20:
                player.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = await _request(reader)
                    verb, fields = _read(head)
                    writer.write(self._answer(verb, fields))
                    if verb == "PLAY":
                        self._players.add(writer)
                        self.played.set()
        finally:
            self._clients.discard(writer)
            self._players.discard(writer)
            writer.close()

    def _answer(self, verb: str, fields: dict[str, str]) -> bytes:
        more, body = "", ""
        match verb:
            case "OPTIONS":
                more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
            case "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                    f"m=video 0 RTP/AVP {PAYLOADS[self._codec]}\r\na=control:stream=0\r\n"
                )
                more = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\n"
            case "SETUP":
                assert "TCP" in fields["transport"]
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        return (
            f"RTSP/1.0 200 OK\r\nCSeq: {fields['cseq']}\r\nSession: 1;timeout=60\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def _request(reader: asyncio.StreamReader) -> str:
    while True:
        first = await reader.readexactly(1)
        if first != b"$":
            return (first + await reader.readuntil(b"\r\n\r\n")).decode()
        # What receivers report of the packets.
        frame = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(frame[1:], "big"))


def _read(head: str) -> tuple[str, dict[str, str]]:
    first, *lines = head.strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first.split()[0], {name.lower(): value.strip() for name, _, value in pairs}


@asynccontextmanager
async def running(codec: str = "libx264") -> AsyncIterator[Camera]:
    """Serve a camera for a block."""
    camera = Camera(codec)
    await camera.start()
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets.bind(("127.0.0.1", 0))
    packets.setblocking(False)
    loop = asyncio.get_running_loop()
    loop.add_reader(packets, lambda: camera.forward(packets.recv(65_536)))
    stop = threading.Event()
    port = packets.getsockname()[1]
    filming = threading.Thread(target=_film, args=(codec, port, stop), daemon=True)
    filming.start()
    try:
        yield camera
    finally:
        stop.set()
        camera.die()
        await asyncio.to_thread(filming.join, 10)
        loop.remove_reader(packets)
        packets.close()


def _film(codec: str, port: int, stop: threading.Event) -> None:
    with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as output:
        stream: Any = output.add_stream(codec, rate=RATE)
        stream.width, stream.height = SIZE
        is_mjpeg = codec == "mjpeg"
        stream.pix_fmt = "yuvj420p" if is_mjpeg else "yuv420p"
        if not is_mjpeg:
            stream.gop_size = 5
            stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        number = 0
        while not stop.wait(1 / RATE):
            grey = shade(number)
            frame = av.VideoFrame.from_image(Image.new("RGB", SIZE, (grey, grey, grey)))
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
            number += 1
