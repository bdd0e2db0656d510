"""The client of live frames over real gRPC, straight and through an edge that asks for keys."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from mesh.vision.v1 import watch_pb2 as pb

from sensorium import edge, live, watching
from sensorium.console import Screen
from sensorium.edge import Edge
from sensorium.errors import Trouble
from sensorium.video import Frame, VideoStream
from services.chassis import errors
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.videos import video
from tests.doubles.watching import watching as watching_room

SETTINGS = pb.WatchSettings(prompt="What?", window_frames=2)


@pytest.fixture
async def room(monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.02,))
    async with watching_room() as room:
        yield room


@asynccontextmanager
async def watched(mesh, frames):
    async with asyncio.timeout(20), aclosing(watching.watch(frames, SETTINGS, mesh)) as answers:
        yield answers


async def test_frames_go_out_with_their_time_and_answers_come_in(room):
    sent = asyncio.Queue()
    async with watched(Edge(room.address), frames_of(sent)) as answers:
        sent.put_nowait(Frame(b"one", 1_700_000_000.5))
        answer = asyncio.create_task(anext(answers))
        stream = await room.stream()
        await stream.until(lambda it: it.frames)
        stream.reply("A man.")
        assert (await answer).text == "A man."
    assert stream.settings == [SETTINGS]
    assert stream.frames[0].capture_time.ToMilliseconds() == 1_700_000_000_500
    await stream.until(lambda it: it.is_ended)


async def test_a_stream_that_breaks_is_opened_again_with_its_settings(room):
    sent = asyncio.Queue()
    async with watched(Edge(room.address), frames_of(sent)) as answers:
        answer = asyncio.create_task(anext(answers))
        for i in range(3):
            stream = await room.stream(count=i + 1)
            sent.put_nowait(Frame(b"%d" % i, 1.0))
            await stream.until(lambda it: it.frames)
            assert stream.settings == [SETTINGS]
            if i < 2:
                stream.fail(errors.Unavailable("the room goes away"))
        stream.reply("Back.")
        assert (await answer).text == "Back."


async def test_what_does_not_pass_is_raised(room):
    room.refuses = errors.InvalidInput("that is no question")
    async with watched(Edge(room.address), few_frames()) as answers:
        with pytest.raises(errors.InvalidInput, match="no question"):
            await anext(answers)


async def test_a_mesh_that_is_never_there_is_told_when_the_frames_end(monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.02,))
    async with watched(Edge(f"http://{edges.NOWHERE}"), few_frames()) as answers:
        with pytest.raises(errors.Unavailable):
            await anext(answers)


async def test_a_key_is_shown_to_an_edge_that_asks_for_one(room, tmp_path):
    async with edges.running(tmp_path, {"vision": room.address}, guarded=True) as guarded:
        async with watched(Edge(guarded.url, keys.ACME), few_frames()) as answers:
            answer = asyncio.create_task(anext(answers))
            stream = await room.stream()
            stream.reply("A man.")
            assert (await answer).text == "A man."
            assert stream.tenant == "acme"
        async with watched(Edge(guarded.url), few_frames()) as answers:
            with pytest.raises(errors.Unauthenticated):
                await anext(answers)


async def test_a_file_is_watched_on_the_terminal_to_its_end(room, tmp_path, capsys):
    path = tmp_path / "aisle.mp4"
    path.write_bytes(video(frames=10, rate=50))
    frames = VideoStream(source=str(path)).frames()
    shown = asyncio.create_task(live.show(frames, SETTINGS, Edge(room.address), Screen()))
    stream = await room.stream()
    await stream.until(lambda it: it.frames)
    answer = pb.WatchResponse(text="An \x1b[31maisle.", done=True)
    answer.age.FromMilliseconds(420)
    for told in (pb.WatchResponse(delta="An"), answer, pb.WatchResponse(unchanged=True)):
        stream.answers.put_nowait(told)
    stream.answers.put_nowait(pb.WatchResponse(notice=pb.WatchNotice(message="too much to do")))
    await stream.until(lambda it: it.is_left)
    stream.answers.put_nowait(None)
    async with asyncio.timeout(10):
        await shown
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(it.split()) for it in lines] == [
        "0.42 s old An [31maisle.",
        "0.00 s old nothing new",
        "too much to do",
    ]


async def test_what_the_mesh_refuses_is_trouble_in_its_words(room):
    room.refuses = errors.InvalidInput("that is no question")
    with pytest.raises(Trouble, match="no question"):
        await live.show(few_frames(), SETTINGS, Edge(room.address), Screen())


async def frames_of(queue):
    while True:
        yield await queue.get()


async def few_frames():
    for i in range(3):
        yield Frame(b"%d" % i, 1.0)
