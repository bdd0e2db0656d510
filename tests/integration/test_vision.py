"""The vision room over a real channel, with llama.cpp and the aisle model behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from mesh.jobs.v1.media_service_pb2 import UploadRequest
from mesh.jobs.v1.media_service_pb2_grpc import MediaServiceStub
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc

from models.aisle.world import Colour, Scene, Worker, scene_from_caption
from services.chassis import call, client
from services.chassis.errors import InvalidInput, Unavailable
from tests.doubles.bad_media import data_url
from tests.doubles.chat_rooms import VISION, vision_room
from tests.doubles.engine_llama import ALIAS, free_port, llama
from tests.doubles.engine_server import engine_server
from tests.doubles.media_room import media_room
from tests.doubles.pictures import BAD_PICTURES, CLEAR_SCENE, scene_png
from tests.doubles.strangers import stranger
from tests.doubles.videos import CONTAINERS, video


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with llama() as url, vision_room(url) as address, client.channel(address) as opened:
        yield opened


@pytest.fixture
async def lonely() -> AsyncIterator[grpc.aio.Channel]:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    async with vision_room(nowhere) as address, client.channel(address) as opened:
        yield opened


def question(*parts: str | bytes) -> pb.GenerateRequest:
    written = [
        chat_pb2.Part(text=it)
        if isinstance(it, str)
        else chat_pb2.Part(image=image_pb2.Image(data=it))
        for it in parts
    ]
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=written)
    return pb.GenerateRequest(
        messages=[message], sampling=chat_pb2.Sampling(max_tokens=64, temperature=0)
    )


@pytest.mark.parametrize(
    "scene",
    [
        CLEAR_SCENE,
        Scene(0, None, Worker.ABSENT, spill=False, ladder=False),
        Scene(1, Colour.BLUE, Worker.STANDING, spill=False, ladder=True),
    ],
    ids=lambda it: it.caption,
)
async def test_a_drawn_scene_gets_its_true_caption(channel: grpc.aio.Channel, scene: Scene) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    request = pb.DescribeRequest(image=image_pb2.Image(data=scene_png(scene)))
    response = await client.call(stub.Describe, request)
    assert response.description == scene.caption
    assert (response.width, response.height) == (140, 112)
    assert response.model == ALIAS
    assert response.usage.input_tokens > 20
    assert response.usage.output_tokens > 5
    assert 0 < response.usage.processing_time.ToTimedelta().total_seconds() < 30


async def test_an_upload_is_described_whatever_it_says_of_itself(
    channel: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    body = HttpBody(content_type="text/plain", data=scene_png())
    response = await client.call(stub.DescribeUpload, pb.DescribeUploadRequest(image=body))
    assert response.description == CLEAR_SCENE.caption


async def test_a_conversation_with_a_picture_is_answered(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    request = question(scene_png(), "Describe this image.")
    response = await client.call(stub.Generate, request)
    assert scene_from_caption(response.text) == CLEAR_SCENE
    assert response.finish_reason == chat_pb2.FINISH_REASON_STOP


async def test_a_stream_says_what_the_whole_answer_says(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    asked = question(scene_png(), "Describe this image.")
    whole = await client.call(stub.Generate, asked)
    request = pb.GenerateStreamRequest(messages=asked.messages, sampling=asked.sampling)
    *pieces, last = [it async for it in client.stream(stub.GenerateStream, request)]
    assert len(pieces) > 1
    assert "".join(it.delta for it in pieces) == whole.text
    assert (last.finish_reason, last.model) == (whole.finish_reason, ALIAS)
    assert last.usage.output_tokens == whole.usage.output_tokens
    assert last.usage.input_tokens == whole.usage.input_tokens


async def test_the_model_is_told_and_the_room_is_healthy(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
    assert (model.name, model.engine, model.ready) == (ALIAS, "llama.cpp", True)
    assert model.context_tokens > 0
    assert await first_health(channel) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(("data", "code"), BAD_PICTURES.values(), ids=BAD_PICTURES.keys())
async def test_a_bad_picture_is_refused_before_the_engine_is_asked(
    lonely: grpc.aio.Channel, data: bytes, code: str
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    request = pb.DescribeUploadRequest(image=HttpBody(content_type="image/png", data=data))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.DescribeUpload(request)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(failed.value, ErrorInfo).reason == code
    assert [it.field for it in details(failed.value, BadRequest).field_violations] == ["image"]


async def test_a_bad_picture_of_a_conversation_is_named_by_its_place(
    lonely: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    asked = question("what is this?", scene_png()[:600])
    streamed = pb.GenerateStreamRequest(messages=asked.messages)
    for answer in (
        client.call(stub.Generate, asked),
        anext(client.stream(stub.GenerateStream, streamed)),
    ):
        with pytest.raises(InvalidInput) as refused:
            await answer
        assert refused.value.violations[0].field == "messages[0].parts[1].image"
        assert refused.value.remedy


async def test_an_engine_that_is_down_is_unavailable_with_a_time_to_try_again(
    lonely: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Generate(question(scene_png(), "?"))
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert details(failed.value, RetryInfo).retry_delay.seconds >= 1
    with pytest.raises(Unavailable):
        await client.call(stub.Generate, question(scene_png(), "?"))
    model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
    assert model.ready is False
    assert await first_health(lonely) == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_conversation_beyond_the_context_is_refused_with_a_remedy(
    channel: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    with pytest.raises(InvalidInput) as refused:
        await client.call(stub.Generate, question("box " * 50_000))
    assert refused.value.code == "CONTEXT_EXCEEDED"
    assert refused.value.remedy


async def test_the_device_is_that_of_the_engine_s_process(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    device = await client.call(stub.GetDevice, pb.GetDeviceRequest())
    assert device.device == "cpu"
    assert device.memory_total_bytes > device.memory_used_bytes > 0
    assert 1e7 < device.engine_memory_bytes < device.memory_total_bytes
    assert device.running_requests == 0


async def test_of_an_engine_that_is_down_no_device_is_told(lonely: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(lonely)
    device = await client.call(stub.GetDevice, pb.GetDeviceRequest())
    assert device.ListFields() == []


async def test_a_release_tells_what_was_dropped_and_answers_go_on(
    channel: grpc.aio.Channel,
) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    request = pb.DescribeRequest(image=image_pb2.Image(data=scene_png()))
    await client.call(stub.Describe, request)
    for _ in range(2):
        relief = await client.call(stub.ReleaseMemory, pb.ReleaseMemoryRequest())
        assert all(relief.released)
        assert relief.released_bytes >= 0
        assert (await client.call(stub.Describe, request)).description == CLEAR_SCENE.caption


async def test_a_form_is_described_as_the_file_in_it_is(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    kind = "multipart/form-data; boundary=XX"
    body = HttpBody(content_type=kind, data=head + scene_png() + b"\r\n--XX--\r\n")
    response = await client.call(stub.DescribeUpload, pb.DescribeUploadRequest(image=body))
    assert response.description == CLEAR_SCENE.caption


async def test_a_scene_that_the_model_cannot_give_is_a_problem_told() -> None:
    async with (
        llama() as url,
        vision_room(url, follows_instructions=False) as address,
        client.channel(address) as channel,
    ):
        stub = pb_grpc.VisionServiceStub(channel)
        image = image_pb2.Image(data=scene_png())
        request = pb.DescribeRequest(image=image, language="es", analyze=True)
        response = await client.call(stub.Describe, request)
        assert response.description == CLEAR_SCENE.caption
        assert not response.HasField("analysis")
        assert "no structured fields" in response.analysis_problem
        model = (await client.call(stub.GetModel, pb.GetModelRequest())).model
        assert model.structured_output is False
        assert model.native_video is False


async def test_a_picture_is_seen_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "scene.png").write_bytes(scene_png())
    async with (
        llama() as url,
        stranger() as web,
        media_room(tmp_path / "kept") as jobs,
        vision_room(
            url, fetch_allow=("127.0.0.1",), media_root=tmp_path, jobs_target=jobs
        ) as address,
        client.channel(address) as channel,
        client.channel(jobs) as media,
    ):
        web.body = scene_png()
        content = HttpBody(content_type="image/png", data=scene_png())
        upload = MediaServiceStub(media).Upload
        kept = (await client.call(upload, UploadRequest(content=content))).uri
        stub = pb_grpc.VisionServiceStub(channel)
        path = (tmp_path / "scene.png").as_uri()
        for uri in (web.url("/hops/1"), data_url(scene_png()), path, kept):
            request = pb.DescribeRequest(image=image_pb2.Image(uri=uri))
            assert (await client.call(stub.Describe, request)).description == CLEAR_SCENE.caption
        for name in (kept[:-1] + "-", "media://none"):
            unknown = pb.DescribeRequest(image=image_pb2.Image(uri=name))
            with pytest.raises(InvalidInput) as refused:
                await client.call(stub.Describe, unknown)
            assert refused.value.code == "MEDIA_NOT_FOUND"
        theirs = pb.DescribeRequest(image=image_pb2.Image(uri=kept))
        with call.use(call.Call(tenant="another")), pytest.raises(InvalidInput):
            await client.call(stub.Describe, theirs)


async def test_a_video_is_answered_about(channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.VisionServiceStub(channel)
    film = video_pb2.Video(data=video("webm"), max_frames=3)
    parts = [chat_pb2.Part(video=film), chat_pb2.Part(text="Describe each image in turn.")]
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)
    response = await client.call(stub.Generate, pb.GenerateRequest(messages=[message]))
    assert response.text
    assert response.usage.input_tokens > 20


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_video_is_seen_however_it_is_named(container: str, tmp_path: Path) -> None:
    film = video(container)
    (tmp_path / "film").write_bytes(film)
    async with (
        engine_server() as engine,
        stranger() as web,
        media_room(tmp_path / "kept") as jobs,
        vision_room(
            engine.url, fetch_allow=("127.0.0.1",), media_root=tmp_path, jobs_target=jobs
        ) as address,
        client.channel(address) as channel,
        client.channel(jobs) as media,
    ):
        web.body = film
        content = HttpBody(content_type="application/octet-stream", data=film)
        kept = (
            await client.call(MediaServiceStub(media).Upload, UploadRequest(content=content))
        ).uri
        uris = (web.url("/hops/1"), (tmp_path / "film").as_uri(), data_url(film, "video/x"), kept)
        for sent in ({"data": film}, *({"uri": it} for it in uris)):
            parts = [chat_pb2.Part(video=video_pb2.Video(**sent)), chat_pb2.Part(text="What?")]
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)
            stub = pb_grpc.VisionServiceStub(channel)
            await client.call(stub.Generate, pb.GenerateRequest(messages=[message]))
    times = [[it["text"] for it in content_of(body) if "text" in it] for body in engine.bodies]
    assert times == [["[0.0 s]", "[1.0 s]", "[2.0 s]", "[3.0 s]", "What?"]] * 5
    assert len({str(body["messages"]) for body in engine.bodies}) == 1


def content_of(body: dict[str, Any]) -> Any:
    return body["messages"][-1]["content"]


async def first_health(channel: grpc.aio.Channel) -> int:
    watch = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(service=VISION.full_name), timeout=10
    )
    async for response in watch:
        # Unknown until the room has asked its engine for the first time.
        if response.status != health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            watch.cancel()
            return int(response.status)
    raise AssertionError("the watch ended without a word")


def details(failed: grpc.aio.AioRpcError, kind: type) -> object:
    status = rpc_status.from_call(failed)
    assert status is not None
    found = kind()
    assert any(detail.Unpack(found) for detail in status.details), kind
    return found
