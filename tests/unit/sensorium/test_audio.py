import asyncio
import io
import os
import threading
import time

import av.error
import numpy as np
import pytest

from sensorium.audio import AudioStream, Microphone, capture, stream
from sensorium.errors import Trouble
from tests.doubles.recordings import encoded, tone
from tests.doubles.videos import video

ON = threading.Event()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(encoded(tone(0.55)))
    return str(path)


@pytest.fixture
def microphone(monkeypatch):
    """A microphone that says what a test pushes, and breaks when it is told to."""
    made = FakeMicrophone()
    monkeypatch.setattr(capture, "chunks", made.chunks)
    monkeypatch.setattr(stream, "RETRY_SECONDS", 0.0)
    yield made
    made.push(None)


def test_a_recording_is_pcm_in_chunks_of_a_tenth_of_a_second(file):
    chunks = list(capture.chunks(file, ON, fast=True))
    assert [len(it) for it in chunks] == [3_200] * 5 + [1_600]
    samples = np.frombuffer(b"".join(chunks), "<i2") / 32_768
    assert np.abs(samples - tone(0.55)).max() < 0.001


@pytest.mark.parametrize(("container", "codec", "rate"), [
    ("ogg", "libopus", 48_000), ("mp3", "libmp3lame", 44_100), ("flac", "flac", 8_000),
])  # fmt: skip
def test_other_recordings_are_resampled(container, codec, rate):
    data = encoded(tone(2, rate), container, codec, rate=rate)
    heard = b"".join(capture.chunks(io.BytesIO(data), ON))
    assert len(heard) / capture.BYTES_PER_SECOND == pytest.approx(2, abs=0.1)


def test_a_recording_comes_at_the_pace_of_life(file):
    begun = time.monotonic()
    list(capture.chunks(file, ON))
    assert 0.55 <= time.monotonic() - begun < 5


def test_a_recording_ends_when_it_is_told_to(file):
    stop = threading.Event()
    each = capture.chunks(file, stop)
    next(each)
    stop.set()
    assert list(each) == []


def test_a_pipe_is_read_as_it_comes():
    reading, writing = os.pipe()
    data = encoded(tone(1))
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as sink:
        feeding = threading.Thread(target=lambda: (sink.write(data), sink.close()))
        feeding.start()
        heard = b"".join(capture.chunks(pipe, ON))
        feeding.join()
    assert len(heard) == capture.BYTES_PER_SECOND


@pytest.mark.parametrize(("data", "told"), [
    (b"no audio", "cannot be read"), (video(frames=3), "no sound"),
])  # fmt: skip
def test_what_is_no_recording_is_told(data, told):
    with pytest.raises(OSError, match=told):
        list(capture.chunks(io.BytesIO(data), ON))


def test_a_recording_that_is_not_there_is_told_by_its_path(tmp_path):
    with pytest.raises(OSError, match=r"no recording at .*nothing\.ogg"):
        list(capture.chunks(str(tmp_path / "nothing.ogg"), ON))


@pytest.mark.parametrize(
    ("platform", "asked", "name", "format"),
    [
        ("linux", Microphone(), "default", "alsa"),
        ("linux", Microphone("hw:1"), "hw:1", "alsa"),
        ("darwin", Microphone(), ":default", "avfoundation"),
        ("win32", Microphone("Headset"), "audio=Headset", "dshow"),
    ],
)
def test_a_microphone_is_opened_as_its_system_names_it(monkeypatch, platform, asked, name, format):
    opened = []

    def note(*args, **options):
        opened.append((*args, options["format"]))
        raise av.error.FFmpegError(5, "Input/output error")

    monkeypatch.setattr(capture.av, "open", note)
    monkeypatch.setattr(capture.sys, "platform", platform)
    with pytest.raises(OSError, match="cannot be read"):
        list(capture.chunks(asked, ON))
    assert opened == [(name, format)]


async def test_a_stream_is_its_recording_to_the_end(file):
    heard = b"".join([it async for it in AudioStream(file, fast=True).chunks()])
    assert heard == b"".join(capture.chunks(file, ON, fast=True))


async def test_what_cannot_be_read_is_trouble(tmp_path):
    with pytest.raises(Trouble, match="no recording"):
        _ = [it async for it in AudioStream(str(tmp_path / "nothing.ogg")).chunks()]


async def test_a_recording_waits_for_who_takes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(stream, "AHEAD_BYTES", 6_400)
    path = tmp_path / "long.wav"
    path.write_bytes(encoded(tone(30)))
    length = 0
    async for chunk in AudioStream(str(path), fast=True).chunks():
        length += len(chunk)
    assert length == 30 * capture.BYTES_PER_SECOND


async def test_a_microphone_that_nobody_listens_to_loses_audio_and_says_how_much(
    microphone, monkeypatch, caplog
):
    monkeypatch.setattr(stream, "AHEAD_BYTES", 8_000)
    chunks = AudioStream().chunks()
    microphone.push(b"first")
    assert await within(anext(chunks)) == b"first"
    for _ in range(20):
        microphone.push(bytes(3_200))
    await asyncio.to_thread(microphone.taken)
    assert [len(await within(anext(chunks))) for _ in range(3)] == [3_200] * 3
    microphone.push(b"last")
    assert await within(anext(chunks)) == b"last"
    assert "1.7 s of audio were lost" in caplog.text
    await chunks.aclose()


async def test_a_microphone_that_breaks_is_opened_again(microphone, caplog):
    chunks = AudioStream().chunks()
    for said in (b"1", b"2", b"3"):
        microphone.push(said)
        assert await within(anext(chunks)) == said
        microphone.push(OSError("unplugged"))
    await chunks.aclose()
    assert "opened again: unplugged" in caplog.text


async def test_a_microphone_that_is_not_there_is_told_at_once(microphone):
    microphone.push(OSError("no such device"))
    with pytest.raises(Trouble, match="no such device"):
        await within(anext(AudioStream().chunks()))


async def within(awaitable):
    async with asyncio.timeout(5):
        return await awaitable


class FakeMicrophone:
    def __init__(self):
        self._changed = threading.Condition()
        self._said = []
        self._is_listening = False

    def push(self, it):
        with self._changed:
            self._said.append(it)
            self._changed.notify_all()

    def taken(self):
        with self._changed:
            assert self._changed.wait_for(lambda: self._is_listening and not self._said, timeout=5)

    def chunks(self, source, stop, *, fast):
        while not stop.is_set():
            with self._changed:
                self._is_listening = True
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: self._said, timeout=0.05):
                    continue
                it = self._said.pop(0)
                self._is_listening = False
            if it is None:
                return
            if isinstance(it, OSError):
                raise it
            yield it
