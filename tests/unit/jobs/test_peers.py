import asyncio
from contextlib import asynccontextmanager

import pytest
from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc
from mesh.types.v1 import transcript_pb2

from services.chassis import client
from services.chassis.config import RoomConfig
from services.chassis.errors import InvalidInput, Unavailable
from services.chassis.server import Server
from services.jobs.peers import AudioRoom


class Ears(pb_grpc.AudioServiceServicer):
    def __init__(self, refused=None):
        self.refused = refused
        self.chunks = []

    async def TranscribeRecording(self, requests, context):  # noqa: N802 - the contract's name
        assert (await anext(requests)).settings.language == "en"
        yield pb.TranscribeRecordingResponse(received_bytes=0)
        async for request in requests:
            if request.HasField("end"):
                break
            if self.refused:
                raise self.refused
            self.chunks.append(request.chunk)
            yield pb.TranscribeRecordingResponse(received_bytes=sum(map(len, self.chunks)))
        else:
            raise InvalidInput("the stream of requests stopped without `end`", code="END_MISSING")
        progress = pb.UploadProgress(heard=Duration(seconds=300), duration=Duration(seconds=3600))
        yield pb.TranscribeRecordingResponse(progress=progress)
        whole = pb.TranscribeUploadResponse(transcript=transcript_pb2.Transcript(text="hello"))
        yield pb.TranscribeRecordingResponse(final=whole)


@asynccontextmanager
async def room(ears):
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    service = pb.DESCRIPTOR.services_by_name["AudioService"]
    server.add(pb_grpc.add_AudioServiceServicer_to_server, ears, service)
    async with server.running() as address, client.channel(address) as channel:
        yield AudioRoom(channel)


class Recording:
    def __init__(self, *pieces, failure=None):
        self.pieces, self.failure = pieces, failure
        self.closed = asyncio.Event()

    async def stream(self):
        try:
            for piece in self.pieces:
                yield piece
            if self.failure:
                raise self.failure
        finally:
            self.closed.set()

    async def is_closed(self):
        async with asyncio.timeout(10):
            await self.closed.wait()


async def ignore(seconds, of_seconds):
    pass


async def test_a_recording_is_sent_in_small_pieces_and_how_far_it_is_is_told():
    told = []

    async def tell(*how_far):
        told.append(how_far)

    ears, recording = Ears(), Recording(bytes(2**20), b"end")
    async with room(ears) as audio:
        heard = await audio.transcribe(recording.stream(), "en", tell)
    assert heard.text == "hello"
    assert told == [(300.0, 3600.0)]
    assert [len(it) for it in ears.chunks] == [2**18] * 4 + [3]


async def test_what_the_room_refuses_is_said_of_the_audio_and_the_recording_is_let_go():
    refused = InvalidInput.field(
        "chunk", "holds no sound", remedy="record it", code="AUDIO_MISSING"
    )
    recording = Recording(*[b"a"] * 9)
    async with room(Ears(refused)) as audio:
        with pytest.raises(InvalidInput) as failed:
            await audio.transcribe(recording.stream(), "en", ignore)
        await recording.is_closed()
    assert failed.value.message == "audio: holds no sound"
    assert (failed.value.remedy, failed.value.code) == ("record it", "AUDIO_MISSING")


async def test_a_recording_that_cannot_be_read_to_its_end_fails_by_its_own_error():
    recording = Recording(b"a", failure=Unavailable("the media store does not answer"))
    async with room(Ears()) as audio:
        with pytest.raises(Unavailable, match="media store"):
            await audio.transcribe(recording.stream(), "en", ignore)
