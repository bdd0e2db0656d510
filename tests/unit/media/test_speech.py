import asyncio
import random
from collections.abc import Iterator

import av
import numpy as np
import pytest
import uvloop

from services.media import speech
from services.media.audio import SAMPLE_RATE_HZ
from services.media.refused import Refused
from services.media.speech import Encoding
from tests.doubles.recordings import encoded, silence, tone


def pieces(data: bytes) -> Iterator[bytes]:
    chance, at = random.Random(3), 0
    while at < len(data):
        size = chance.randint(1, 3_000)
        yield data[at : at + size]
        at += size


async def always() -> None:
    pass


async def heard(data: bytes, encoding: Encoding, rate: int = 0) -> np.ndarray:
    taken = [np.empty(0, np.float32)]

    async with speech.opened(encoding, rate, taken.append, always) as ear:
        for piece in pieces(data):
            await ear.ready()
            ear.feed(piece)
        await ear.finish()
    return np.concatenate(taken)


def pcm16(samples: np.ndarray) -> bytes:
    return (samples * 32_767).astype("<i2").tobytes()


def packed(samples: np.ndarray, codec: str, rate: int) -> bytes:
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(
        (samples * 32_767).astype(np.int16)[np.newaxis], format="s16", layout="mono"
    )
    frame.sample_rate = rate
    return b"".join(bytes(it) for it in [*context.encode(frame), *context.encode(None)])


def pitch(samples: np.ndarray) -> float:
    middle = samples[4_000 : 4_000 + SAMPLE_RATE_HZ]
    return float(np.abs(np.fft.rfft(middle)).argmax())


@pytest.mark.parametrize(
    ("data", "encoding", "rate"),
    [
        (pcm16(tone(2)), Encoding.PCM16, 0),
        (pcm16(tone(2, 48_000)), Encoding.PCM16, 48_000),
        (pcm16(tone(2, 8_000)), Encoding.PCM16, 8_000),
        (tone(2, 44_100).tobytes(), Encoding.FLOAT32, 44_100),
        (packed(tone(2, 8_000), "pcm_mulaw", 8_000), Encoding.MULAW, 0),
        (encoded(tone(2, 48_000), "ogg", "libopus", rate=48_000), Encoding.OGG, 0),
        (encoded(tone(2, 48_000), "webm", "libopus", rate=48_000), Encoding.WEBM, 0),
        (encoded(tone(2), "flac", "flac"), Encoding.CONTAINER, 0),
        (encoded(tone(2, 44_100), "mp3", "libmp3lame", rate=44_100), Encoding.CONTAINER, 0),
        (encoded(tone(2)), Encoding.CONTAINER, 0),
    ],
)
async def test_a_stream_cut_anywhere_is_heard_whole(data, encoding, rate):
    samples = await heard(data, encoding, rate)
    assert len(samples) == pytest.approx(2 * SAMPLE_RATE_HZ, rel=0.06)
    assert pitch(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.06)


async def test_sixteen_bits_are_kept_exactly():
    sent = np.arange(-32_768, 32_768, 7, dtype="<i2")
    samples = await heard(sent.tobytes(), Encoding.PCM16)
    assert np.array_equal(samples * 32_768, sent.astype(np.float32))


@pytest.mark.parametrize("encoding", [Encoding.OGG, Encoding.WEBM])
async def test_a_browsers_recording_is_heard_before_it_ends(encoding):
    data = encoded(tone(6, 48_000), "ogg" if encoding == "ogg" else "webm", "libopus", rate=48_000)
    enough = asyncio.Event()
    count = 0

    def sink(samples: np.ndarray) -> None:
        nonlocal count
        count += len(samples)
        if count >= SAMPLE_RATE_HZ:
            enough.set()

    async with speech.opened(encoding, 0, sink, always) as ear:
        ear.feed(data[: len(data) // 2])
        async with asyncio.timeout(20):
            await enough.wait()


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (random.Random(1).randbytes(200_000), Encoding.OGG, "AUDIO_UNREADABLE"),
        (random.Random(1).randbytes(200_000), Encoding.CONTAINER, "AUDIO_UNREADABLE"),
        (encoded(tone(1)), Encoding.OGG, "AUDIO_UNREADABLE"),
        (encoded(silence(0), "matroska", video=True), Encoding.WEBM, "AUDIO_MISSING"),
        (pcm16(tone(1)), Encoding.FLOAT32, "AUDIO_UNREADABLE"),
        (b"", Encoding.OGG, "AUDIO_UNREADABLE"),
    ],
    ids=["noise", "noise-of-any-kind", "another-container", "silent-film", "not-floats", "nothing"],
)
async def test_what_is_not_as_the_settings_say_is_refused_with_a_remedy(data, encoding, code):
    async with asyncio.timeout(20):
        with pytest.raises(Refused) as refused:
            await heard(data, encoding)
    assert refused.value.code == code
    assert refused.value.remedy


async def test_while_there_is_no_room_no_bytes_are_taken():
    waiting, free = asyncio.Event(), asyncio.Event()

    async def room() -> None:
        waiting.set()
        await free.wait()

    data = encoded(tone(200, 48_000), "wav", rate=48_000)
    async with speech.opened(Encoding.CONTAINER, 0, lambda _: None, room) as ear:
        ear.feed(data)
        async with asyncio.timeout(20):
            await waiting.wait()
        more = asyncio.create_task(ear.ready())
        await asyncio.sleep(0)
        assert not more.done()
        free.set()
        async with asyncio.timeout(20):
            await more


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


async def tailed(recording: bytes, tail: int) -> None:
    async with (
        asyncio.timeout(20),
        speech.opened(Encoding.CONTAINER, 0, lambda _: None, always) as ear,
    ):
        ear.feed(recording)
        await asyncio.wait((ear._reading,))
        for _ in range(0, tail, 10_000):
            await ear.ready()
            ear.feed(bytes(10_000))
        await ear.finish()


def test_tags_may_follow_a_recording_but_no_other_recording(loop):
    recording = encoded(tone(1), "mp4", "aac") + bytes(200_000)
    loop.run(tailed(recording, 60_000))
    with pytest.raises(Refused) as refused:
        loop.run(tailed(recording, 80_000))
    assert refused.value.code == "AUDIO_AFTER_END"


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("webm", "libopus")])
async def test_a_recorder_that_starts_anew_is_told_and_its_audio_not_passed_over(container, codec):
    recording = encoded(tone(1, 48_000), container, codec, rate=48_000)
    async with speech.opened(Encoding.CONTAINER, 0, lambda _: None, always) as ear:
        ear.feed(recording)
        with pytest.raises(Refused) as refused:
            ear.feed(recording)
    assert refused.value.code == "AUDIO_AFTER_END"
    assert "one recording in a session" in refused.value.remedy
