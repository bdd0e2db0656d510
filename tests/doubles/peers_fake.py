"""The other rooms as a test wants them, over real gRPC."""

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.audio.v1 import audio_service_pb2_grpc as audio_grpc
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.reasoning.v1 import reasoning_service_pb2_grpc as reasoning_grpc
from mesh.types.v1 import scene_pb2, transcript_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from mesh.vision.v1 import vision_service_pb2_grpc as vision_grpc

from services.chassis import call
from services.chassis.config import RoomConfig
from services.chassis.server import Server
from services.jobs.pipelines.prompts import ELSEWHERE, NEVER_SEEN


@dataclass
class FakePeers(
    vision_grpc.VisionServiceServicer,
    reasoning_grpc.ReasoningServiceServicer,
    audio_grpc.AudioServiceServicer,
):
    """Describes a picture as the text that `says` has for its bytes, and judges by the word."""

    says: dict[bytes, str] = field(default_factory=dict)
    word: str = "stocking"
    described: list[bytes] = field(default_factory=list)
    """The pictures whose description was answered, in order."""
    priorities: set[str] = field(default_factory=set)
    """What descriptions were asked for with."""
    judged: list[str] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)
    """Raised by the next descriptions, one each."""
    holds: dict[bytes, asyncio.Event] = field(default_factory=dict)
    """The pictures that are not answered before their event is set."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a picture is held, or a call hangs."""
    otherwise: str = "an aisle"
    """What is said of other pictures."""
    sees: dict[bytes, list[scene_pb2.Risk]] = field(default_factory=dict)
    """The risks in a picture; others cannot be analysed."""
    hazards: dict[str, str] = field(default_factory=lambda: {"spill": "spill", "ladder": "ladder"})
    """What is claimed of an observation with a word in it; one with a `no` bears nothing out."""
    hangs: dict[str, int] = field(default_factory=dict)
    """The RPCs that answer so many calls, and hang at the next."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a hanging call is dropped by its caller."""
    answered: list[tuple[str, ...]] = field(default_factory=list)
    """The calls that were answered: the RPC and what it was asked."""

    async def Describe(self, request, context):  # noqa: N802 - the contract's name
        picture = request.image.data
        self.priorities.add(call.current().priority.value)
        if self.failing:
            raise self.failing.pop(0)
        if picture in self.holds:
            self.held.set()
            await self.holds[picture].wait()
        await self._answer("Describe", str(hash(picture)))
        self.described.append(picture)
        response = vision_pb.DescribeResponse(description=self.says.get(picture, self.otherwise))
        if request.analyze and picture in self.sees:
            response.analysis.risks.extend(self.sees[picture])
        return response

    async def Extract(self, request, context):  # noqa: N802 - the contract's name
        asked = request.messages[-1].parts[0].text
        observed = asked.partition("Observation: ")[2]
        [wanted] = json.loads(request.json_schema)["properties"]
        await self._answer("Extract", wanted, asked)
        answers = {
            "hazard": next((it for word, it in self.hazards.items() if word in observed), "none"),
            "there": " no " not in observed,
            "severity": "medium",
            "readable": "dark" not in asked,
            "summary": next((it[2:] for it in asked.splitlines() if it.startswith("- ")), ""),
        }
        response = reasoning_pb.ExtractResponse()
        response.value[wanted] = answers[wanted]
        return response

    async def CountTokens(self, request, context):  # noqa: N802 - the contract's name
        await self._answer("CountTokens", *request.texts)
        return reasoning_pb.CountTokensResponse(counts=map(len, request.texts), exact=True)

    async def Choose(self, request, context):  # noqa: N802 - the contract's name
        asked = request.messages[-1].parts[0].text
        await self._answer("Choose", asked)
        if "other" in request.answers:
            probabilities = [float(it == "other") for it in request.answers]
            return reasoning_pb.ChooseResponse(probabilities=probabilities)
        statement, _, sentence = asked.removeprefix("Statement: ").partition("\nSentence: ")
        own = sentence == f"{statement}."
        if not own and sentence not in ELSEWHERE and statement != NEVER_SEEN:
            self.judged.append(sentence)
        says = own or (self.word in sentence and statement != NEVER_SEEN)
        return reasoning_pb.ChooseResponse(probabilities=[0.4, 0.6] if says else [0.2, 0.8])

    async def _answer(self, *call):
        if self.hangs.get(call[0], math.inf) <= sum(it[0] == call[0] for it in self.answered):
            self.held.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        self.answered.append(call)

    async def TranscribeRecording(self, requests, context):  # noqa: N802 - the contract's name
        language = (await anext(requests)).settings.language
        size, digest = 0, hashlib.sha256()
        yield audio_pb.TranscribeRecordingResponse(received_bytes=0)
        async for request in requests:
            if request.HasField("end"):
                break
            size += len(request.chunk)
            digest.update(request.chunk)
            yield audio_pb.TranscribeRecordingResponse(received_bytes=size)
        await self._answer("TranscribeRecording", digest.hexdigest())
        text = f"{size} bytes in {language or 'any language'}"
        segment = transcript_pb2.Segment(
            start_offset=Duration(nanos=500_000_000), end_offset=Duration(seconds=2), text=text
        )
        whole = transcript_pb2.Transcript(
            text=text, segments=[segment], language="en", duration=Duration(seconds=2)
        )
        yield audio_pb.TranscribeRecordingResponse(
            final=audio_pb.TranscribeUploadResponse(transcript=whole)
        )


@asynccontextmanager
async def serving(peers: FakePeers, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """Serve the three rooms at one address for a block, which is given it."""
    server = Server(RoomConfig(listen=listen, drain_seconds=0))
    server.add(
        vision_grpc.add_VisionServiceServicer_to_server,
        peers,
        vision_pb.DESCRIPTOR.services_by_name["VisionService"],
    )
    server.add(
        reasoning_grpc.add_ReasoningServiceServicer_to_server,
        peers,
        reasoning_pb.DESCRIPTOR.services_by_name["ReasoningService"],
    )
    server.add(
        audio_grpc.add_AudioServiceServicer_to_server,
        peers,
        audio_pb.DESCRIPTOR.services_by_name["AudioService"],
    )
    async with server.running() as address:
        yield address
