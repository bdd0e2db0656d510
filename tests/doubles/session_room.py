"""A jobs room over real gRPC whose sessions hear text: what was said is the bytes that were sent.
It keeps sessions, acknowledges, and refuses as the real one does; a test may cut its streams and
hold its ears or its analysis.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mesh.jobs.v1 import session_pb2
from mesh.jobs.v1 import session_service_pb2 as pb
from mesh.jobs.v1 import session_service_pb2_grpc as pb_grpc

from services.chassis import call
from services.chassis.config import RoomConfig
from services.chassis.errors import MeshError, NotFound, Precondition, Unavailable
from services.chassis.server import Server

SERVICE = pb.DESCRIPTOR.services_by_name["SessionService"]
SECONDS = 10
LONG = 100_000


@dataclass
class Heard:
    """One session."""

    id: str
    settings: pb.SessionSettings
    tenant: str
    data: bytearray = field(default_factory=bytearray)
    is_ended: bool = False
    streams: int = 0
    stream: Any = None


class SessionRoom(pb_grpc.SessionServiceServicer):
    """Keeps every session for ever."""

    def __init__(self) -> None:
        self.sessions: list[Heard] = []
        self.refuses: MeshError | None = None
        self.changed = asyncio.Condition()
        self.listens = asyncio.Event()
        self.listens.set()
        self.thinks = asyncio.Event()
        self.thinks.set()
        self.progress: list[tuple[int, int]] = []
        """How far an analysis is said to be, one after another: what was asked and answered."""
        self.cut_at = iter([0])
        """At how many bytes in all a stream is cut, again and again."""
        self.cuts = 0
        self.address = ""
        self._next_cut = 0

    def cut_every(self, places: Iterator[int]) -> None:
        self.cut_at = places
        self._next_cut = next(places)

    async def session(self, condition: Any = lambda it: True, *, count: int = 1) -> Heard:
        """Wait until so many sessions were opened and the last of them is as a test wants it."""
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(
                lambda: len(self.sessions) >= count and condition(self.sessions[count - 1])
            )
        return self.sessions[count - 1]

    async def AnalyzeAudio(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        await context.send_initial_metadata(())
        settings = (await anext(request_iterator)).settings
        if self.refuses is not None:
            raise self.refuses
        heard = self._found(settings) if settings.resume_token else self._opened(settings)
        heard.streams += 1
        mine = heard.stream = object()
        async with self.changed:
            self.changed.notify_all()
        ready = pb.SessionReady(
            session_id=heard.id, resume_token=_token(heard), next_offset=len(heard.data)
        )
        ready.kept_for.FromTimedelta(timedelta(minutes=2))
        yield pb.AnalyzeAudioResponse(ready=ready)
        reading = asyncio.create_task(self._read(heard, request_iterator))
        try:
            async for answer in self._follow(heard, reading, mine):
                yield answer
        finally:
            reading.cancel()
            if heard.stream is mine:
                heard.stream = None
            async with self.changed:
                self.changed.notify_all()

    async def GetSession(self, request: Any, context: Any) -> Any:
        mine = [
            it
            for it in self.sessions
            if it.id == request.session_id and it.tenant == call.current().tenant
        ]
        if not mine:
            raise NotFound(f"session {request.session_id}")
        states = (session_pb2.SESSION_STATE_OPEN, session_pb2.SESSION_STATE_ENDED)
        kept = session_pb2.Session(session_id=mine[-1].id, state=states[mine[-1].is_ended])
        if mine[-1].is_ended:
            kept.analysis.CopyFrom(_analysis(mine[-1]))
        return pb.GetSessionResponse(session=kept)

    def _opened(self, settings: pb.SessionSettings) -> Heard:
        session_id = settings.session_id or f"session-{len(self.sessions)}"
        heard = Heard(session_id, settings, call.current().tenant)
        self.sessions.append(heard)
        return heard

    def _found(self, settings: pb.SessionSettings) -> Heard:
        for heard in self.sessions:
            is_known = (heard.id, _token(heard)) == (settings.session_id, settings.resume_token)
            if is_known and heard.tenant == call.current().tenant:
                return heard
        raise NotFound("there is no such session to take up again")

    async def _read(self, heard: Heard, requests: Any) -> None:
        async for request in requests:
            await self.listens.wait()
            if request.HasField("end"):
                heard.is_ended = True
            elif request.chunk_offset > len(heard.data):
                raise Precondition(f"audio is missing: {len(heard.data)} bytes are held")
            else:
                heard.data += request.chunk[len(heard.data) - request.chunk_offset :]
            async with self.changed:
                self.changed.notify_all()

    async def _follow(
        self, heard: Heard, reading: asyncio.Task[None], mine: object
    ) -> AsyncIterator[Any]:
        told = -1
        while True:
            if reading.done() and not heard.is_ended:
                reading.result()
                raise Unavailable("the stream broke off")
            if heard.stream is not mine:
                raise Unavailable("the session was taken up by another stream")
            if told < len(heard.data):
                told = len(heard.data)
                if self._next_cut and told >= self._next_cut:
                    self._next_cut = next(self.cut_at, 0)
                    self.cuts += 1
                    raise Unavailable("cut")
                yield pb.AnalyzeAudioResponse(acknowledged={"offset": told})
                newest = heard.data[-99:].decode(errors="replace")
                yield pb.AnalyzeAudioResponse(partial_text={"committed": newest})
            elif heard.is_ended:
                break
            else:
                async with self.changed:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.2):
                            await self.changed.wait()
        analysis = _analysis(heard)
        yield pb.AnalyzeAudioResponse(segment=analysis.transcript.segments[0])
        yield pb.AnalyzeAudioResponse(transcript=analysis.transcript)
        for asked, answered in self.progress:
            yield pb.AnalyzeAudioResponse(progress={"asked": asked, "answered": answered})
        await self.thinks.wait()
        yield pb.AnalyzeAudioResponse(analysis=analysis)


def _token(heard: Heard) -> str:
    return f"token of {heard.id}"


def said(data: bytes) -> str:
    """What is heard of bytes: themselves, or of many their digest."""
    if len(data) > LONG:
        return hashlib.sha256(data).hexdigest()
    return data.decode(errors="replace")


def _analysis(heard: Heard) -> session_pb2.SessionAnalysis:
    text = said(bytes(heard.data))
    made = session_pb2.SessionAnalysis(
        transcript={"text": text, "language": heard.settings.language}, summary="in short"
    )
    segment = made.transcript.segments.add(text=text)
    segment.end_offset.FromMilliseconds(len(heard.data))
    made.action_items.add(title="Do it", evidence=[{"text": text}])
    made.risks.add(risk={"description": "It may fail"}, evidence=[{"text": text}])
    made.risks[0].evidence[0].start_offset.FromMilliseconds(1_500)
    made.missing.add(part="decisions", reason="the time was up")
    return made


@asynccontextmanager
async def sessions() -> AsyncIterator[SessionRoom]:
    """Serve the double for a block."""
    room = SessionRoom()
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    server.add(pb_grpc.add_SessionServiceServicer_to_server, room, SERVICE)
    async with server.running() as room.address:
        yield room
