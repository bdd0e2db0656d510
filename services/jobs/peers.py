"""The other rooms over gRPC, as the ports say. Failures come as the rooms raised them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import grpc.aio
from google.protobuf.json_format import MessageToDict
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.audio.v1.audio_service_pb2_grpc import AudioServiceStub
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.reasoning.v1.reasoning_service_pb2_grpc import ReasoningServiceStub
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from mesh.vision.v1.vision_service_pb2_grpc import VisionServiceStub

from services.chassis import client, limits
from services.chassis.errors import Internal, InvalidInput, MeshError
from services.jobs import wire
from services.jobs.adapters.film import VideoFilm
from services.jobs.config import PeersConfig
from services.jobs.content import Blob, Transcript
from services.jobs.domain import Json
from services.jobs.pipelines.work import Peers
from services.jobs.ports.rooms import Sight, Tell, TokenCounts
from services.jobs.sessions.live import Chunk, End, Heard, Opening, Resumption

_ANSWER_SECONDS: Final = 300.0
"""For an answer about one picture or text: minutes on a slow machine with much before it."""
_CHUNK_BYTES: Final = 256 * 1024
"""Of a recording at a time; the next is sent when this one has come."""
_CHUNK: Final = "chunk: "
"""So begins what the audio room says of a recording's bytes."""
_TEXTS_IN_CALL: Final = 256
"""As many as the contract lets count at once."""
_ROLES: Final = {
    "system": chat_pb2.ROLE_SYSTEM,
    "user": chat_pb2.ROLE_USER,
    "assistant": chat_pb2.ROLE_ASSISTANT,
}


@asynccontextmanager
async def connected(config: PeersConfig) -> AsyncIterator[Peers]:
    """Open channels to the other rooms for a block."""
    async with (
        client.channel(config.vision_target) as vision,
        client.channel(config.reasoning_target) as reasoning,
        client.channel(config.audio_target) as audio,
    ):
        rooms = VisionRoom(vision), ReasoningRoom(reasoning), AudioRoom(audio)
        yield Peers(*rooms, VideoFilm())


class VisionRoom:
    """Sees."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = VisionServiceStub(channel)

    async def describe(self, picture: Blob, prompt: str) -> str:
        """Describe a picture."""
        return str((await self._describe(picture, prompt, analyze=False)).description)

    async def analyze(self, picture: Blob, prompt: str) -> Sight:
        """Describe a picture, and tell the risks in it where the model can."""
        response = await self._describe(picture, prompt, analyze=True)
        risks = None
        if response.HasField("analysis"):
            risks = tuple(map(wire.risk_from_pb, response.analysis.risks))
        return Sight(response.description, risks)

    async def _describe(
        self, picture: Blob, prompt: str, *, analyze: bool
    ) -> vision_pb.DescribeResponse:
        image = image_pb2.Image(data=picture.data)
        request = vision_pb.DescribeRequest(image=image, prompt=prompt, analyze=analyze)
        response: vision_pb.DescribeResponse = await client.call(
            self._stub.Describe, request, timeout=_ANSWER_SECONDS
        )
        return response


class ReasoningRoom:
    """Reasons."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ReasoningServiceStub(channel)

    async def extract(
        self,
        turns: Sequence[tuple[str, str]],
        schema: Mapping[str, Json],
        *,
        most_tokens: int = 0,
    ) -> Mapping[str, Json]:
        """Answer turns of (role, text) with a JSON object that fits the schema."""
        request = reasoning_pb.ExtractRequest(
            messages=_messages(turns), json_schema=json.dumps(schema)
        )
        if most_tokens:
            request.sampling.max_tokens = most_tokens
        response = await client.call(self._stub.Extract, request, timeout=_ANSWER_SECONDS)
        return MessageToDict(response.value)

    async def count_tokens(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts."""
        counts: list[int] = []
        context = 0
        for at in range(0, len(texts), _TEXTS_IN_CALL):
            request = reasoning_pb.CountTokensRequest(texts=texts[at : at + _TEXTS_IN_CALL])
            response = await client.call(self._stub.CountTokens, request, timeout=_ANSWER_SECONDS)
            counts += response.counts
            context = response.context_tokens
        return TokenCounts(tuple(counts), context)

    async def choose(
        self, turns: Sequence[tuple[str, str]], answers: Sequence[str]
    ) -> Sequence[float]:
        """Tell how likely each of some answers to turns of (role, text) is, together 1."""
        request = reasoning_pb.ChooseRequest(messages=_messages(turns), answers=answers)
        response = await client.call(self._stub.Choose, request, timeout=_ANSWER_SECONDS)
        return tuple(response.probabilities)


class AudioRoom:
    """Hears."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = AudioServiceStub(channel)

    async def transcribe(
        self, recording: AsyncGenerator[bytes, None], language: str, tell: Tell
    ) -> Transcript:
        """Transcribe a recording, and tell how far it is."""
        taken, over = asyncio.Semaphore(0), asyncio.Event()
        failures: list[MeshError] = []

        async def requests() -> AsyncIterator[audio_pb.TranscribeRecordingRequest]:
            yield wire.recording_to_pb(language)
            try:
                async with aclosing(recording):
                    async for piece in recording:
                        for at in range(0, len(piece), _CHUNK_BYTES):
                            await taken.acquire()
                            if over.is_set():
                                return
                            chunk = piece[at : at + _CHUNK_BYTES]
                            yield audio_pb.TranscribeRecordingRequest(chunk=chunk)
                yield audio_pb.TranscribeRecordingRequest(end=audio_pb.EndOfRecording())
            except MeshError as failed:
                # gRPC would tell nobody. The room sees a stream that breaks off.
                failures.append(failed)

        seconds = limits.RECORDING_DEADLINE.total_seconds()
        method = self._stub.TranscribeRecording
        try:
            async with aclosing(client.stream(method, requests(), timeout=seconds)) as responses:
                async for response in responses:
                    match response.WhichOneof("message"):
                        case "received_bytes":
                            taken.release()
                        case "progress":
                            await tell(*wire.progress_from_pb(response.progress))
                        case "final":
                            return wire.transcript_from_pb(response.final.transcript)
        except MeshError as failed:
            raise _about_audio((failures or [failed])[0]) from None
        finally:
            over.set()
            taken.release()
        raise Internal("the audio room stopped before its last answer", remedy="try again")


class ListeningRoom:
    """Hears while somebody speaks."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = AudioServiceStub(channel)

    async def listen(
        self, asked: Opening | Resumption, messages: AsyncIterator[Chunk | End]
    ) -> AsyncGenerator[Heard, None]:
        """Hear one stream."""
        accepted, over = asyncio.Event(), asyncio.Event()
        failures: list[MeshError] = []

        async def requests() -> AsyncIterator[audio_pb.TranscribeRequest]:
            yield wire.listening_to_pb(asked)
            # A refusal that arrives while audio is being written would be lost.
            await accepted.wait()
            if over.is_set():
                return
            try:
                async for message in messages:
                    yield wire.message_to_pb(message)
            except MeshError as failed:
                # gRPC would tell nobody. The room sees a stream that breaks off.
                failures.append(failed)

        try:
            listening = client.stream(self._stub.Transcribe, requests(), session=asked.hearing_key)
            async with aclosing(listening) as responses:
                async for response in responses:
                    accepted.set()
                    if (heard := wire.heard_from_pb(response)) is not None:
                        yield heard
        except MeshError as failed:
            raise (failures or [failed])[0] from None
        finally:
            # gRPC does not leave off asking for more by itself.
            over.set()
            accepted.set()


def _about_audio(failed: MeshError) -> MeshError:
    # Who asked sent no chunks.
    if isinstance(failed, InvalidInput) and failed.message.startswith(_CHUNK):
        told = failed.message.removeprefix(_CHUNK)
        return InvalidInput.field("audio", told, remedy=failed.remedy, code=failed.code)
    return failed


def _messages(turns: Sequence[tuple[str, str]]) -> list[chat_pb2.Message]:
    return [
        chat_pb2.Message(role=_ROLES[role], parts=[chat_pb2.Part(text=text)])
        for role, text in turns
    ]
