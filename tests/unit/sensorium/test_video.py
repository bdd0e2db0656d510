import asyncio
import base64
import io
import json
import threading
from itertools import pairwise

import av.error
import pytest
from PIL import Image

from sensorium import edge
from sensorium.errors import Trouble
from sensorium.video import Camera, Frame, Look, VideoStream, capture
from tests.doubles.videos import shown_by, video

LIVE = Look(fps=1000, resolution=(32, 32))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "aisle.mp4"
    path.write_bytes(video(frames=10, rate=50))
    return str(path)


@pytest.fixture
def camera(monkeypatch):
    """A camera that shows what a test pushes, and breaks when it is told to."""
    made = FakeCamera()
    monkeypatch.setattr(capture, "frames", made.frames)
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.0,))
    yield made
    made.end()


def test_frames_of_a_file_are_jpegs_within_the_resolution_that_keep_their_shape(file):
    shown = list(capture.frames(file, LIVE, threading.Event()))
    assert len(shown) == 10
    pictures = [Image.open(io.BytesIO(it.data)) for it in shown]
    assert {(it.format, it.size) for it in pictures} == {("JPEG", (32, 24))}
    assert all(a.captured < b.captured for a, b in pairwise(shown))


def test_a_file_is_shown_at_its_own_pace_and_no_faster_than_wanted(file):
    shown = list(capture.frames(file, Look(fps=10), threading.Event()))
    assert 2 <= len(shown) <= 3


@pytest.mark.parametrize(
    ("matrix", "size"),
    [((0, 1, -1, 0), (48, 64)), ((0, -1, 1, 0), (48, 64)), ((-1, 0, 0, -1), (64, 48))],
)
def test_a_phone_s_file_is_shown_as_it_was_held(tmp_path, matrix, size):
    path = tmp_path / "portrait.mp4"
    path.write_bytes(shown_by(video(), *matrix))
    shown = next(capture.frames(str(path), Look(jpeg_quality=95), threading.Event()))
    picture = Image.open(io.BytesIO(shown.data))
    assert picture.size == size
    assert picture.getpixel((4, 4))[0] < 60


def test_a_mirrored_file_is_not_turned_over(tmp_path):
    path = tmp_path / "selfie.mp4"
    path.write_bytes(shown_by(video(), -1, 0, 0, 1))
    shown = next(capture.frames(str(path), LIVE, threading.Event()))
    assert Image.open(io.BytesIO(shown.data)).getpixel((4, 4))[0] > 200


def test_a_file_whose_first_frame_is_late_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "late.webm"
    path.write_bytes(video("webm", frames=3, rate=100, shown_at=(6_000, 6_010, 6_020)))
    stop, waits = threading.Event(), []
    monkeypatch.setattr(stop, "wait", waits.append)
    assert len(list(capture.frames(str(path), LIVE, stop))) == 3
    assert max(waits) <= 0.2


def test_a_better_quality_is_a_larger_jpeg(file):
    sizes = [
        len(next(capture.frames(file, Look(jpeg_quality=it), threading.Event())).data)
        for it in (5, 95)
    ]
    assert sizes[0] < sizes[1]


def test_what_is_no_video_is_told(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(OSError, match="cannot be read"):
        list(capture.frames(str(path), LIVE, threading.Event()))


def test_a_camera_is_opened_as_its_system_names_it(monkeypatch):
    opened = []

    def note(name, **options):
        opened.append((name, options))
        raise av.error.FFmpegError(5, "Input/output error")

    monkeypatch.setattr(capture.av, "open", note)
    monkeypatch.setattr(capture.sys, "platform", "linux")
    for source in (Camera(2), "rtsp://camera.example/1"):
        with pytest.raises(OSError, match="cannot be read"):
            list(capture.frames(source, Look(), threading.Event()))
    (name, camera), (_, rtsp) = opened
    assert (name, camera["format"]) == ("/dev/video2", "v4l2")
    assert camera["options"] == {"video_size": "640x480", "framerate": "30"}
    assert rtsp["options"]["rtsp_transport"] == "tcp"


def test_a_frame_is_text_as_vilas_clients_send_it():
    told = json.loads(Frame(b"jpeg", 1.5).text)
    assert told == {"timestamp": 1.5, "frame": base64.b64encode(b"jpeg").decode()}


async def test_a_file_that_is_not_there_is_told_at_the_start(tmp_path):
    with pytest.raises(Trouble, match="there is no video"):
        VideoStream(source=str(tmp_path / "nothing.mp4")).start()


async def test_a_file_ends_and_so_do_its_frames(file):
    shown = [it async for it in VideoStream(source=file).frames()]
    assert 1 <= len(shown) <= 10


async def test_a_file_that_breaks_is_told(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(Trouble, match="cannot be read"):
        _ = [it async for it in VideoStream(source=str(path)).frames()]


async def test_callbacks_are_called_in_the_loop_and_may_be_coroutines(camera):
    seen, loop = asyncio.Queue(), asyncio.get_running_loop()

    async def send(text):
        assert asyncio.get_running_loop() is loop
        await seen.put(("first", frame_of(text)))

    video = VideoStream(send)
    video.register_frame_callback(lambda text: seen.put_nowait(("second", frame_of(text))))
    video.start()
    camera.show(b"1")
    assert {await next_of(seen) for _ in range(2)} == {("first", b"1"), ("second", b"1")}
    video.register_frame_callback(lambda text: seen.put_nowait(("third", frame_of(text))))
    camera.show(b"2")
    assert ("third", b"2") in {await next_of(seen) for _ in range(3)}
    video.stop()


async def test_a_callback_that_returns_a_task_is_waited_for_and_then_has_the_newest(camera):
    seen, opened, entered = [], asyncio.Event(), asyncio.Event()

    async def send(text):
        seen.append(frame_of(text))
        entered.set()
        await opened.wait()

    video = VideoStream(frame_callback=lambda text: asyncio.create_task(send(text)))
    video.start()
    camera.show(b"1")
    await within(entered.wait())
    for i in range(2, 50):
        camera.show(b"%d" % i)
    await asyncio.to_thread(camera.seen)
    entered.clear()
    opened.set()
    await within(entered.wait())
    assert seen == [b"1", b"49"]
    video.stop()


async def test_a_callback_that_fails_does_not_end_the_video(camera, caplog):
    seen = asyncio.Queue()

    def fail_once(text):
        seen.put_nowait(frame_of(text))
        if seen.qsize() == 1:
            raise ValueError("once")

    video = VideoStream(fail_once)
    video.start()
    camera.show(b"1")
    assert await next_of(seen) == b"1"
    camera.show(b"2")
    assert await next_of(seen) == b"2"
    assert "a callback of a video failed" in caplog.text
    video.stop()


async def test_a_camera_that_breaks_is_opened_again(camera, caplog):
    seen = asyncio.Queue()
    video = VideoStream(lambda text: seen.put_nowait(frame_of(text)))
    video.start()
    for picture in (b"1", b"2", b"3"):
        camera.show(picture)
        assert await next_of(seen) == picture
        camera.break_off()
    video.stop()
    assert "opened again" in caplog.text


async def test_a_video_may_be_started_again_and_is_stopped_twice_without_harm(camera):
    seen = asyncio.Queue()
    video = VideoStream(lambda text: seen.put_nowait(frame_of(text)))
    for picture in (b"1", b"2"):
        video.start()
        video.start()
        camera.show(picture)
        assert await next_of(seen) == picture
        video.stop()
        video.stop()


def test_without_a_loop_callbacks_are_called_in_a_thread(camera):
    seen, came = [], threading.Event()

    def note(text):
        seen.append(frame_of(text))
        came.set()

    video = VideoStream(note)
    video.start()
    camera.show(b"1")
    assert came.wait(5)
    camera.end()
    video.stop()
    assert seen == [b"1"]


def frame_of(text):
    return base64.b64decode(json.loads(text)["frame"])


async def within(awaitable):
    async with asyncio.timeout(5):
        return await awaitable


async def next_of(queue):
    return await within(queue.get())


class FakeCamera:
    def __init__(self):
        self._changed = threading.Condition()
        self._shown = []
        self._is_looking = False

    def show(self, data):
        self._push(Frame(data, 0.0))

    def break_off(self):
        self._push(OSError("unplugged"))

    def end(self):
        self._push(None)

    def seen(self):
        with self._changed:
            assert self._changed.wait_for(lambda: self._is_looking and not self._shown, timeout=5)

    def _push(self, it):
        with self._changed:
            self._shown.append(it)
            self._changed.notify_all()

    def frames(self, source, look, stop):
        while True:
            with self._changed:
                self._is_looking = True
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: self._shown or stop.is_set(), timeout=0.05):
                    continue
                if stop.is_set():
                    return
                it = self._shown.pop(0)
                self._is_looking = False
            if it is None:
                return
            if isinstance(it, OSError):
                raise it
            yield it
