"""Streams of frames over real gRPC, with the double of an engine, and with the real one."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from mesh.vision.v1 import watch_pb2 as pb
from PIL import Image

from models.aisle.world import Colour, Scene, Worker
from services.chassis import client, limits
from services.vision.live import carrier
from tests.doubles import engine_server as faults
from tests.doubles.chat_rooms import vision_room
from tests.doubles.engine_llama import llama
from tests.doubles.engine_server import EngineServer, engine_server
from tests.doubles.pictures import BROKEN_JPEG, CLEAR_SCENE, encode, scene_png

RED, BLUE = (encode(Image.new("RGB", (64, 48), it), "JPEG") for it in ("red", "blue"))
EVERY = pb.WatchSettings(change_threshold=0)
PLACE = {"engine_calls": 1}


class Stream:
    """A stream of frames as a client has it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call = pb_grpc.VisionServiceStub(channel).Watch()

    async def set(self, settings: pb.WatchSettings | None = None, **fields: Any) -> None:
        await self.call.write(pb.WatchRequest(settings=settings or pb.WatchSettings(**fields)))

    async def send(self, data: bytes = RED, *, more: bool = False, **fields: Any) -> None:
        frame = image_pb2.Image(data=data, **fields)
        await self.call.write(pb.WatchRequest(frame=frame, more=more))

    async def read(self) -> pb.WatchResponse:
        async with asyncio.timeout(10):
            response = await self.call.read()
        assert response is not grpc.aio.EOF, await self.call.code()
        return response

    async def rest(self) -> list[pb.WatchResponse]:
        async with asyncio.timeout(10):
            replies = []
            while (response := await self.call.read()) is not grpc.aio.EOF:
                replies.append(response)
            return replies


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@asynccontextmanager
async def room(engine: EngineServer, **options: Any) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        vision_room(engine.url, **options) as address,
        client.channel(address) as channel,
    ):
        yield channel


@pytest.fixture
async def channel(engine: EngineServer) -> AsyncIterator[grpc.aio.Channel]:
    async with room(engine, **PLACE) as opened:
        yield opened


@pytest.fixture
def stream(channel: grpc.aio.Channel) -> Stream:
    return Stream(channel)


async def test_an_answer_tells_what_it_speaks_of_and_how_old_that_is(stream: Stream) -> None:
    captured = datetime.now(UTC) - timedelta(seconds=3)
    await stream.set(EVERY)
    await stream.send(id="f1", capture_time=captured)
    answer = await stream.read()
    assert (answer.text, answer.done, answer.unchanged) == (faults.SENTENCE, True, False)
    assert (answer.answer, answer.settings, list(answer.frame_ids)) == (1, 1, ["f1"])
    assert answer.capture_times[0].ToDatetime(UTC) == captured
    assert timedelta(seconds=3) < answer.age.ToTimedelta() < timedelta(seconds=9)
    assert timedelta() < answer.age_in_room.ToTimedelta() < timedelta(seconds=3)
    assert answer.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert answer.usage.output_tokens == 10
    assert answer.model == faults.MODEL
    assert answer.delta == ""


async def test_a_clock_that_is_ahead_and_a_time_that_is_none_make_no_age(stream: Stream) -> None:
    await stream.set(EVERY)
    await stream.send(capture_time=datetime.now(UTC) + timedelta(hours=1))
    assert (await stream.read()).age.ToTimedelta() < timedelta(seconds=5)
    wrong = image_pb2.Image(data=RED)
    wrong.capture_time.seconds = 1 << 60
    await stream.call.write(pb.WatchRequest(frame=wrong))
    answer = await stream.read()
    assert answer.age.ToTimedelta() < timedelta(seconds=5)
    assert list(answer.frame_ids) == ["1"]


async def test_pieces_come_before_the_whole_where_they_are_wanted(stream: Stream) -> None:
    await stream.set(change_threshold=0, deltas=True)
    await stream.send()
    replies = [await stream.read()]
    while not replies[-1].done:
        replies.append(await stream.read())
    *pieces, whole = replies
    assert "".join(it.delta for it in pieces) == whole.text == faults.SENTENCE
    assert {(it.answer, it.settings) for it in replies} == {(1, 1)}
    assert not any(it.text for it in pieces)


async def test_while_the_engine_is_busy_the_newest_frame_wins_and_the_rest_is_counted(
    stream: Stream, engine: EngineServer
) -> None:
    engine.release = asyncio.Event()
    await stream.set(EVERY)
    await stream.send(id="first")
    await reached(engine, 1)
    for number in range(30):
        await stream.send(id=str(number))
    await stream.send(BLUE, id="last")
    await stream.call.done_writing()
    engine.release.set()
    first, *others = await stream.rest()
    assert list(first.frame_ids) == ["first"]
    assert list(others[-1].frame_ids) == ["last"]
    assert len(engine.bodies) == 1 + len(others)
    shown = 1 + sum(len(it.frame_ids) for it in others)
    assert shown + sum(it.dropped_frames for it in (first, *others)) == 32


async def test_a_window_holds_the_newest_frames_the_oldest_first(
    stream: Stream, engine: EngineServer
) -> None:
    await stream.set(change_threshold=0, window_frames=3, prompt="What moved?", language="es")
    for number in range(5):
        await stream.send(id=str(number))
    await stream.call.done_writing()
    last = (await stream.rest())[-1]
    assert list(last.frame_ids) == ["2", "3", "4"]
    system, user = engine.bodies[-1]["messages"]
    assert [it["type"] for it in user["content"]] == ["image_url"] * 3 + ["text"]
    assert user["content"][-1]["text"] == "What moved? Write in Spanish (es)."
    assert "oldest first" in system["content"]


async def test_a_scene_that_stays_is_not_paid_for_and_a_change_is_seen_at_once(
    stream: Stream, engine: EngineServer
) -> None:
    await stream.send(RED, id="a")
    assert (await stream.read()).text
    for _ in range(3):
        await stream.send(RED)
    still = await stream.read()
    assert (still.unchanged, still.done, still.answer) == (True, False, 1)
    assert still.text == faults.SENTENCE
    assert list(still.frame_ids) == ["a"]
    assert 1 <= still.skipped_frames + still.dropped_frames <= 3
    assert len(engine.bodies) == 1
    await stream.send(BLUE, id="b")
    changed = await stream.read()
    while changed.unchanged:
        changed = await stream.read()
    assert (changed.answer, list(changed.frame_ids)) == (2, ["b"])


async def test_a_question_may_be_changed_at_any_time(stream: Stream, engine: EngineServer) -> None:
    await stream.set(prompt="One?", cadence=timedelta(hours=1))
    await stream.send()
    assert (await stream.read()).settings == 1
    await stream.set(prompt="Two?", sampling=chat_pb2.Sampling(max_tokens=3))
    await stream.send()
    answer = await stream.read()
    assert (answer.answer, answer.settings) == (2, 2)
    assert answer.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    assert engine.bodies[-1]["max_tokens"] == 3
    assert "Two?" in str(engine.bodies[-1]["messages"])


@pytest.mark.parametrize("threshold", [0, 0.1])
async def test_a_frame_that_is_no_picture_is_told_and_its_window_is_answered(
    stream: Stream, engine: EngineServer, threshold: float
) -> None:
    engine.release = asyncio.Event()
    await stream.set(change_threshold=threshold, window_frames=3)
    await stream.send(id="first")
    await reached(engine, 1)
    for name, data in (("bad", b"no picture"), ("empty", b""), ("good", BLUE)):
        await stream.send(data, id=name)
    await stream.call.done_writing()
    engine.release.set()
    replies = await stream.rest()
    notices = [it.notice for it in replies if it.HasField("notice")]
    assert {it.frame_id for it in notices} == {"bad", "empty"}
    assert {it.reason for it in notices} == {pb.WATCH_NOTICE_REASON_FRAME_REFUSED}
    assert {it.code for it in notices} == {"IMAGE_UNKNOWN", "IMAGE_EMPTY"}
    assert all(it.message for it in notices)
    (last,) = (it for it in replies[1:] if it.done)
    assert last.frame_ids[-1] == "good"
    assert not {"bad", "empty"} & set(last.frame_ids)


async def test_a_frame_that_only_the_engine_finds_broken_is_told_and_left_out(
    stream: Stream, engine: EngineServer
) -> None:
    engine.release = asyncio.Event()
    await stream.set(change_threshold=0, window_frames=2)
    await stream.send(id="first")
    await reached(engine, 1)
    engine.faults.append(faults.answer_with(400))
    await stream.send(BROKEN_JPEG, id="broken")
    await stream.send(BLUE, id="good")
    await stream.call.done_writing()
    engine.release.set()
    replies = await stream.rest()
    (notice,) = (it.notice for it in replies if it.HasField("notice"))
    assert (notice.frame_id, notice.code) == ("broken", "IMAGE_DAMAGED")
    assert list(replies[-1].frame_ids) == ["good"]


async def test_an_engine_that_is_down_is_told_and_answers_when_it_is_back(
    stream: Stream, engine: EngineServer
) -> None:
    engine.faults.append(faults.answer_with(503))
    await stream.set(EVERY)
    await stream.send(id="kept")
    told = await stream.read()
    assert told.notice.reason == pb.WATCH_NOTICE_REASON_ENGINE_DOWN
    assert told.notice.retry_after.ToTimedelta() == timedelta(seconds=1)
    assert told.answer == 1
    answer = await stream.read()
    assert (answer.answer, list(answer.frame_ids), answer.done) == (2, ["kept"], True)


async def test_an_engine_that_has_too_much_to_do_is_told_as_such(
    stream: Stream, engine: EngineServer
) -> None:
    engine.faults.append(faults.answer_with(429))
    await stream.send()
    assert (await stream.read()).notice.reason == pb.WATCH_NOTICE_REASON_OVERLOADED
    assert (await stream.read()).done


async def test_who_waits_long_for_its_turn_is_told_why(
    channel: grpc.aio.Channel, engine: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "PATIENCE_SECONDS", 0.05)
    engine.release = asyncio.Event()
    one, other = Stream(channel), Stream(channel)
    await one.send()
    await reached(engine, 1)
    await other.send()
    told = await other.read()
    assert told.notice.reason == pb.WATCH_NOTICE_REASON_OVERLOADED
    assert not told.notice.HasField("retry_after")
    engine.release.set()
    assert (await other.read()).done


async def test_an_answer_that_breaks_off_is_told_by_its_number(
    stream: Stream, engine: EngineServer
) -> None:
    engine.faults.append(faults.cut_stream)
    await stream.set(change_threshold=0, deltas=True)
    await stream.send()
    assert (await stream.read()).delta == "The "
    told = await stream.read()
    assert (told.answer, told.notice.reason) == (1, pb.WATCH_NOTICE_REASON_ENGINE_DOWN)
    assert (await stream.read()).answer == 2


async def test_what_the_engine_refuses_for_good_is_told_and_new_settings_are_tried(
    stream: Stream, engine: EngineServer
) -> None:
    engine.faults.append(faults.answer_with(400, "exceed_context_size"))
    await stream.send()
    told = (await stream.read()).notice
    assert (told.reason, told.code) == (
        pb.WATCH_NOTICE_REASON_ANSWER_REFUSED,
        "CONTEXT_EXCEEDED",
    )
    await stream.set(prompt="Less?")
    assert (await stream.read()).settings == 1


async def test_what_comes_on_demand_is_asked_for_and_is_the_newest_when_the_turn_has_come(
    stream: Stream,
) -> None:
    await stream.set(window_frames=2, on_demand=True)
    first = (await stream.read()).wanted
    assert (first.frames, first.at_once) == (1, False)
    await stream.send(id="looked at")
    then = (await stream.read()).wanted
    assert (then.frames, then.at_once) == (2, True)
    await stream.send(id="a", more=True)
    await stream.send(id="b")
    answer = await stream.read()
    assert (answer.done, list(answer.frame_ids), answer.dropped_frames) == (True, ["a", "b"], 1)
    assert (await stream.read()).wanted == first


async def test_an_answer_waits_only_a_moment_for_frames_that_do_not_come(stream: Stream) -> None:
    await stream.set(window_frames=2, on_demand=True)
    await stream.read()
    await stream.send(id="only")
    assert (await stream.read()).wanted.at_once
    answer = await stream.read()
    assert (answer.done, list(answer.frame_ids)) == (True, ["only"])


@pytest.mark.parametrize("fault", [faults.hang, faults.stream_then_hang])
async def test_who_leaves_frees_the_engine(
    channel: grpc.aio.Channel, engine: EngineServer, fault: faults.Fault
) -> None:
    engine.faults.append(fault)
    left = Stream(channel)
    await left.send()
    await reached(engine, 1)
    left.call.cancel()
    async with asyncio.timeout(1):
        await engine.hung_up.wait()
    after = Stream(channel)
    await after.send()
    assert (await after.read()).done


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (pb.WatchRequest(), "settings, frame"),
        (pb.WatchRequest(frame=image_pb2.Image(uri="https://example.com/a")), "frame"),
        (pb.WatchRequest(frame=image_pb2.Image(data=bytes(limits.FRAME_BYTES + 1))), "frame"),
        (pb.WatchRequest(settings=pb.WatchSettings(window_frames=17)), "settings.window_frames"),
        (pb.WatchRequest(settings=pb.WatchSettings(language="?")), "settings.language"),
        (
            pb.WatchRequest(settings=pb.WatchSettings(cadence=timedelta(hours=2))),
            "settings.cadence",
        ),
        (
            pb.WatchRequest(settings=pb.WatchSettings(change_threshold=1.5)),
            "settings.change_threshold",
        ),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
async def test_what_the_contract_forbids_ends_the_stream_and_says_where(
    stream: Stream, request_: pb.WatchRequest, path: str
) -> None:
    await stream.call.write(request_)
    async with asyncio.timeout(10):
        assert await stream.call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert path in (await stream.call.details() or "")


async def test_too_many_streams_are_refused_at_their_start(engine: EngineServer) -> None:
    async with room(engine, streams=2) as channel:
        one, other = Stream(channel), Stream(channel)
        for stream in (one, other):
            await stream.send()
            assert (await stream.read()).done
        third = Stream(channel)
        async with asyncio.timeout(10):
            assert await third.call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await one.call.done_writing()
        assert await one.rest() == []
        fourth = Stream(channel)
        await fourth.send()
        assert (await fourth.read()).done


async def test_hundreds_of_streams_that_come_and_go_leave_nothing(engine: EngineServer) -> None:
    async with room(engine, streams=8) as channel:
        await come_and_go(channel, 250)
        last = Stream(channel)
        await last.send()
        assert (await last.read()).done
        gc.collect()
        assert sum(isinstance(it, carrier.Carrier) for it in gc.get_objects()) == 1
        assert sum("Carrier" in repr(it.get_coro()) for it in asyncio.all_tasks()) == 2


async def come_and_go(channel: grpc.aio.Channel, count: int) -> None:
    for number in range(count):
        stream = Stream(channel)
        if number % 3:
            await stream.send()
        if number % 3 == 2:
            await stream.read()
            await stream.call.done_writing()
            await stream.rest()
        else:
            stream.call.cancel()
            async with asyncio.timeout(10):
                assert await stream.call.code() is grpc.StatusCode.CANCELLED


async def test_streams_that_share_an_engine_get_as_much_of_it(
    channel: grpc.aio.Channel, engine: EngineServer
) -> None:
    streams = [Stream(channel) for _ in range(4)]
    answers = [0] * len(streams)

    async def run(at: int) -> None:
        await streams[at].set(EVERY)
        while sum(answers) < 60:
            await streams[at].send()
            await streams[at].read()
            answers[at] += 1

    async with asyncio.TaskGroup() as group:
        for at in range(len(streams)):
            group.create_task(run(at))
    assert max(answers) - min(answers) <= 3, answers


async def test_a_stream_goes_before_calls_whose_answers_keep(
    channel: grpc.aio.Channel, engine: EngineServer
) -> None:
    engine.release = asyncio.Event()
    held = Stream(channel)
    await held.send()
    await reached(engine, 1)
    stub = pb_grpc.VisionServiceStub(channel)
    text = chat_pb2.Part(text="patient")
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[text])
    patient = asyncio.ensure_future(stub.Generate(vision_pb.GenerateRequest(messages=[message])))
    assert (await stub.GetModel(vision_pb.GetModelRequest())).model.ready
    live = Stream(channel)
    await live.set(prompt="live")
    await live.send()
    assert (await stub.GetModel(vision_pb.GetModelRequest())).model.ready
    engine.release.set()
    assert (await live.read()).done
    await patient
    assert ["patient" in str(it["messages"]) for it in engine.bodies] == [False, False, True]


async def test_who_sends_and_never_reads_is_ended_and_costs_no_answers_meanwhile(
    engine: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD_DEADLINE", timedelta(seconds=0.5))
    # More than the connection holds for a reader that does not come.
    engine.reply = lambda body: f"{'x' * 50_000} " * 100
    async with room(engine, streams=1) as channel:
        stream = Stream(channel)
        await stream.set(EVERY)
        flood = asyncio.create_task(sent_for_ever(stream))
        await reached(engine, 1)
        async with asyncio.timeout(20):
            while not await has_a_place(Stream(channel)):
                assert len(engine.bodies) < 50
        stream.call.cancel()
        await asyncio.gather(flood, return_exceptions=True)


async def sent_for_ever(stream: Stream) -> None:
    while True:
        await stream.send()


async def has_a_place(stream: Stream) -> bool:
    await stream.call.initial_metadata()
    reading = asyncio.create_task(stream.read())
    try:
        await stream.send()
        return (await reading).done
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        reading.cancel()
        return False


async def test_a_stream_that_is_open_when_the_room_stops_ends(engine: EngineServer) -> None:
    async with room(engine, drain_seconds=0.2) as channel:
        stream = Stream(channel)
        await stream.send()
        assert (await stream.read()).done
    async with asyncio.timeout(10):
        assert await stream.call.code() is not grpc.StatusCode.OK


async def test_the_real_engine_sees_each_scene_of_an_aisle() -> None:
    scenes = [CLEAR_SCENE, Scene(1, Colour.BLUE, Worker.STANDING, spill=False, ladder=True)]
    async with (
        llama() as url,
        vision_room(url, follows_instructions=False) as address,
        client.channel(address) as channel,
    ):
        stream = Stream(channel)
        for scene in scenes:
            frame = scene_png(scene)
            await stream.send(frame, id=scene.caption)
            await stream.send(frame)
            answer = await stream.read()
            while not answer.done:
                answer = await stream.read()
            assert answer.text == scene.caption


async def reached(engine: EngineServer, calls: int) -> None:
    """Wait until the engine works on so many calls."""
    async with asyncio.timeout(10):
        while len(engine.bodies) < calls:
            engine.chatting.clear()
            await engine.chatting.wait()
