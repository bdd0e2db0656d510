import asyncio
import json
import random
import resource
import struct
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest

from services.chassis import limits
from services.chassis.errors import Internal, InvalidInput
from services.chassis.limits import MEBIBYTE
from services.media import audio, child
from services.media.spool import Shelf
from tests.doubles import recordings
from tests.doubles.recordings import encoded, silence, tone


async def decoded(data: bytes, **limited: float) -> np.ndarray:
    return np.concatenate([it async for it in audio.decode(data, field="audio", **limited)])


def wav(
    data: bytes,
    *,
    rate: int = 16_000,
    channels: int = 1,
    kind: int = 1,
    bits: int = 16,
    claimed: int | None = None,
) -> bytes:
    frame = channels * bits // 8
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits)
    size = len(data) if claimed is None else claimed
    riff = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + header
    return riff + b"data" + struct.pack("<I", size) + data


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 16_000, "mono"),
        ("wav", "pcm_mulaw", 8_000, "mono"),
        ("aiff", "pcm_s16be", 44_100, "stereo"),
        ("flac", "flac", 48_000, "stereo"),
        ("ogg", "libopus", 48_000, "mono"),
        ("webm", "libopus", 48_000, "stereo"),
        ("mp3", "libmp3lame", 44_100, "stereo"),
        ("mp4", "aac", 44_100, "stereo"),
        ("matroska", "flac", 16_000, "5.1"),
        ("mpegts", "mp2", 44_100, "mono"),
    ],
)
async def test_what_people_record_into_becomes_16_khz_mono(container, codec, rate, layout):
    samples = await decoded(encoded(tone(1.5, rate), container, codec, rate=rate, layout=layout))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(1.5 * audio.SAMPLE_RATE_HZ, rel=0.1)
    spectrum = np.abs(np.fft.rfft(samples[4_000:20_000]))
    assert int(spectrum.argmax()) == pytest.approx(440, abs=2)


async def test_a_video_gives_its_sound():
    samples = await decoded(encoded(tone(1), "mp4", "aac", video=True))
    assert np.abs(samples).max() > 0.2


async def test_the_dialogue_lasts_as_long_as_its_truth_says():
    seconds = len(await decoded(recordings.DIALOGUE.read_bytes())) / audio.SAMPLE_RATE_HZ
    assert seconds == pytest.approx(json.loads(recordings.TRUTH.read_text())["duration"], abs=0.02)


async def test_blocks_come_while_the_recording_is_decoded():
    async with aclosing(audio.decode(encoded(tone(60)), field="audio")) as blocks:
        assert len(await anext(blocks)) == audio.SAMPLE_RATE_HZ


NEIGHBOUR = "neighbour.wav"


@pytest.mark.parametrize(
    ("data", "code", "problem"),
    [
        (b"", "AUDIO_EMPTY", "is empty"),
        (b"hello, is this thing on?" * 400, "AUDIO_UNREADABLE", "is not a recording"),
        (random.Random(5).randbytes(100_000), "AUDIO_UNREADABLE", "is not a recording"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "AUDIO_UNREADABLE", "is not a recording"),
        (encoded(silence(0), "mp4", video=True), "AUDIO_MISSING", "has no sound in it"),
        (wav(b""), "AUDIO_EMPTY", "holds no sound"),
        (encoded(tone(2), "mp4", "aac")[:3_000], "AUDIO_UNREADABLE", "is not a recording"),
        (wav(bytes(64_000), rate=1_000), "AUDIO_UNREADABLE", "1000 samples a second"),
        (wav(bytes(64_000), channels=20), "AUDIO_UNREADABLE", "20 channels"),
        (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{NEIGHBOUR}\n#EXT-X-ENDLIST\n".encode(),
            "AUDIO_UNREADABLE",
            "is not a recording",
        ),
        (
            f"ffconcat version 1.0\nfile '{NEIGHBOUR}'\n".encode(),
            "AUDIO_UNREADABLE",
            "is not a recording",
        ),
        (
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
            "AUDIO_UNREADABLE",
            "is not a recording",
        ),
    ],
    ids=[
        "empty",
        "text",
        "noise",
        "picture",
        "silent-film",
        "no-samples",
        "half-an-mp4",
        "slow",
        "many-channels",
        "hls",
        "concat",
        "sdp",
    ],
)
async def test_what_is_no_recording_is_refused_in_words(data, code, problem, tmp_path, monkeypatch):
    (tmp_path / NEIGHBOUR).write_bytes(encoded(tone(1)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=problem) as refused:
        await decoded(data)
    assert refused.value.code == code
    assert refused.value.remedy
    assert [it.field for it in refused.value.violations] == ["audio"]


async def test_a_body_over_the_limit_is_refused_unread():
    with pytest.raises(InvalidInput, match=str(limits.BODY_BYTES)) as refused:
        await decoded(bytes(limits.BODY_BYTES + 1))
    assert refused.value.code == "AUDIO_TOO_BIG"


async def test_a_truncated_recording_gives_what_came():
    whole = encoded(tone(4), "ogg", "libopus", rate=16_000)
    samples = await decoded(whole[: len(whole) // 2])
    assert 1 < len(samples) / audio.SAMPLE_RATE_HZ < 3


async def test_a_damaged_stretch_costs_no_more_than_itself():
    damaged = bytearray(encoded(tone(10), "mp3", "libmp3lame"))
    damaged[9_000:9_400] = random.Random(1).randbytes(400)
    assert len(await decoded(bytes(damaged))) > 9 * audio.SAMPLE_RATE_HZ


async def test_a_piped_recording_that_claims_the_largest_size_is_read():
    assert len(await decoded(wav(bytes(64_000), claimed=0x7FFFFFFF))) == 32_000


async def test_a_recording_over_the_time_limit_is_refused_before_it_is_decoded():
    with pytest.raises(InvalidInput, match="longer than 2 seconds") as refused:
        await anext(audio.decode(encoded(tone(3)), field="audio", most_seconds=2))
    assert refused.value.code == "AUDIO_TOO_LONG"


async def test_a_recording_that_hides_its_length_is_stopped_at_the_limit():
    hidden = encoded(tone(10), "mpegts", "mp2")
    blocks = audio.decode(hidden + hidden, field="audio", most_seconds=12)
    heard = []

    async def hear() -> None:
        async for block in blocks:
            heard.append(len(block))  # noqa: PERF401 - what came before the refusal counts

    with pytest.raises(InvalidInput, match="longer than 12 seconds"):
        await hear()
    assert 11 < sum(heard) / audio.SAMPLE_RATE_HZ <= 12


async def test_decoding_stops_when_it_takes_too_long():
    with pytest.raises(InvalidInput, match="decoding may take") as refused:
        await decoded(encoded(tone(30)), decode_seconds=1e-9)
    assert refused.value.code == "AUDIO_TOO_COSTLY"


async def test_samples_that_are_no_numbers_become_silence():
    broken = np.full(16_000, np.nan, np.float32)
    broken[8_000:] = np.inf
    samples = await decoded(wav(broken.tobytes(), kind=3, bits=32))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("flac", "flac"),
        ("mp4", "aac"),
        ("webm", "libopus"),
        ("mp3", "libmp3lame"),
        ("avi", "mp2"),
    ],
)
async def test_mangled_recordings_are_decoded_or_refused_and_nothing_else(container, codec):
    chance = random.Random(container)
    whole = encoded(tone(1, 48_000), container, codec, rate=48_000)
    for _ in range(12):
        mangled = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        for _ in range(chance.choice((1, 5, 25))):
            if mangled:
                mangled[chance.randrange(len(mangled))] = chance.randrange(256)
        assert await decoded_or_refused(bytes(mangled))


async def decoded_or_refused(data: bytes) -> bool:
    try:
        return len(await decoded(data)) > 0
    except InvalidInput as refused:
        return bool(refused.violations)


def mp4_that_counts(samples: int) -> bytes:
    """An MP4 of a few bytes whose tables claim so many samples."""
    whole = bytearray(encoded(tone(0.2), "mp4", "aac"))
    at = whole.index(b"stsz") + 8
    whole[at : at + 8] = (1).to_bytes(4, "big") + samples.to_bytes(4, "big")
    at = whole.index(b"stsc") + 12
    whole[at + 4 : at + 8] = samples.to_bytes(4, "big")
    return bytes(whole)


@pytest.mark.parametrize("samples", [10_000_000, 2**31 - 1])
async def test_a_recording_that_claims_millions_of_samples_costs_the_room_nothing(samples):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await decoded_or_refused(mp4_that_counts(samples)) in (True, False)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


async def test_who_stops_listening_ends_the_process(monkeypatch):
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(child.asyncio, "create_subprocess_exec", noted)
    async with aclosing(audio.decode(encoded(tone(300)), field="audio")) as blocks:
        await anext(blocks)
        assert started[0].returncode is None
    assert started[0].returncode is not None


async def test_a_decoder_that_cannot_start_is_our_mistake(monkeypatch):
    monkeypatch.setattr(child.sys, "executable", "/bin/false")
    with pytest.raises(Internal):
        await decoded(encoded(tone(1)))


@asynccontextmanager
async def on_disk(data, most_bytes=MEBIBYTE):
    async with Shelf(most_bytes).spool("chunk") as spool:
        for at in range(0, len(data), 10_000):
            await spool.add(data[at : at + 10_000])
        yield spool


@pytest.mark.parametrize(
    "data",
    [
        encoded(tone(3), "ogg", "libopus", rate=16_000),
        # Its index comes after its sound.
        encoded(tone(3), "mp4", "aac", video=True),
        wav(bytes(96_000), claimed=0xFFFFFFFF),
    ],
    ids=["ogg", "video", "piped"],
)
async def test_a_recording_on_disk_gives_what_it_gives_in_memory(data):
    async with on_disk(data) as spool:
        blocks = [it async for it in audio.decode_file(spool)]
        assert spool.estimate(1.0) == pytest.approx(1.0, rel=0.01)
    assert np.array_equal(np.concatenate(blocks), await decoded(data))


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "AUDIO_EMPTY"), (b"no recording" * 99, "AUDIO_UNREADABLE")],
)
async def test_a_file_that_is_no_recording_is_refused_by_where_it_came_from(data, code):
    with pytest.raises(InvalidInput, match="chunk: ") as refused:
        async with on_disk(data) as spool:
            [it async for it in audio.decode_file(spool)]
    assert refused.value.code == code


async def test_a_file_over_the_time_limit_is_refused_before_it_is_decoded():
    async with on_disk(encoded(tone(5))) as spool:
        with pytest.raises(InvalidInput, match="longer than 4 seconds"):
            await anext(audio.decode_file(spool, most_seconds=4))
