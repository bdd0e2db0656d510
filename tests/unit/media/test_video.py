import asyncio
import random
import resource

import pytest

from services.chassis.errors import Exhausted, Internal, InvalidInput
from services.media import child
from services.media.video import Sampling, VideoDecoder
from tests.doubles.videos import BAD_VIDEOS, CONTAINERS, mp4_that_counts, video

PATH = "messages[0].parts[1].video"
SECONDLY = Sampling(frames_per_second=1, most_frames=32, most_pixels=1_000_000)


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_video_gives_its_frames(container: str) -> None:
    frames = await VideoDecoder().frames(video(container), SECONDLY, field=PATH)
    assert [round(it.seconds) for it in frames] == [0, 1, 2, 3]
    assert all(it.data.startswith(b"\xff\xd8") for it in frames)


@pytest.mark.parametrize("container", CONTAINERS)
async def test_a_video_has_its_length(container: str) -> None:
    clip = await VideoDecoder().clip(video(container), SECONDLY, field=PATH)
    assert clip.seconds == pytest.approx(4.0, abs=0.01)
    assert len(clip.frames) == 4


async def test_a_video_of_one_frame_has_no_length_that_is_known() -> None:
    clip = await VideoDecoder().clip(video(frames=1), SECONDLY, field=PATH)
    assert (len(clip.frames), clip.seconds) == (1, 0.0)


@pytest.mark.parametrize(("data", "code"), BAD_VIDEOS.values(), ids=BAD_VIDEOS.keys())
async def test_a_bad_video_is_refused_by_its_field_with_a_remedy(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await VideoDecoder().frames(data, SECONDLY, field=PATH)
    assert refused.value.code == code
    assert refused.value.violations[0].field == PATH
    assert refused.value.remedy


async def test_a_video_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(InvalidInput) as refused:
        await VideoDecoder(seconds=0.01).frames(video(), SECONDLY, field=PATH)
    assert refused.value.code == "VIDEO_TOO_COSTLY"


async def test_who_stops_waiting_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: asyncio.Future[asyncio.subprocess.Process] = asyncio.get_running_loop().create_future()
    start = asyncio.create_subprocess_exec

    async def started(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)  # type: ignore[arg-type]
        begun.set_result(process)
        return process

    monkeypatch.setattr(child.asyncio, "create_subprocess_exec", started)
    waiting = asyncio.create_task(VideoDecoder().frames(video(), SECONDLY, field=PATH))
    process = await begun
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert process.returncode is not None


async def test_too_many_at_once_are_refused() -> None:
    decoder = VideoDecoder()
    several = [decoder.frames(video(), SECONDLY, field=PATH) for _ in range(11)]
    results = await asyncio.gather(*several, return_exceptions=True)
    assert [isinstance(it, Exhausted) for it in results] == [False] * 10 + [True]


@pytest.mark.parametrize("frames", [40_000_000, 2**31 - 1])
async def test_a_video_that_claims_millions_of_frames_costs_little(frames: int) -> None:
    with pytest.raises(InvalidInput):
        await VideoDecoder().frames(mp4_that_counts(frames), SECONDLY, field=PATH)
    kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert kibibytes < 1_100_000


async def test_a_decoder_that_cannot_start_is_our_mistake_and_not_the_video_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child.sys, "executable", "/bin/false")
    with pytest.raises(Internal):
        await VideoDecoder().frames(video(), SECONDLY, field=PATH)


async def test_bytes_mangled_anywhere_give_frames_or_a_refusal_and_nothing_else() -> None:
    rng = random.Random(11)
    decoder, outcomes = VideoDecoder(), set()

    async def outcome(data: bytes) -> object:
        try:
            return len(await decoder.frames(data, SECONDLY, field=PATH)) > 0
        except InvalidInput as refused:
            return refused.code

    for container in CONTAINERS:
        whole = video(container)
        mangled = [bytearray(whole) for _ in range(5)]
        for each in mangled:
            for _ in range(rng.randint(1, 40)):
                each[rng.randrange(len(each))] = rng.randrange(256)
        async with asyncio.timeout(40):
            outcomes |= set(await asyncio.gather(*(outcome(bytes(it)) for it in mangled)))
    assert outcomes <= {
        True,
        "VIDEO_UNREADABLE",
        "VIDEO_MISSING",
        "VIDEO_TOO_LONG",
        "VIDEO_TOO_LARGE",
    }
