from datetime import UTC, datetime, timedelta

import pytest

from services.jobs.content import Image, Video
from services.jobs.pipelines import sampling
from services.jobs.pipelines.steps import Steps
from tests.doubles import peers_memory
from tests.doubles.peers_memory import Reel

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CLIP = Video("clip", NOON, "images/0")


@pytest.fixture
def taken(memory, claim_of):
    async def run(video=CLIP, reel=None, claim=None):
        claim = claim or await claim_of()
        reel = reel or Reel(2)
        steps = Steps(memory, claim, await memory.steps(claim))
        work = peers_memory.work(steps, memory, claim, reel=reel)
        return await sampling.frames(video, work), reel, claim

    return run


async def test_frames_are_kept_as_pictures_with_ids_times_and_offsets(taken, memory):
    reel, _, claim = await taken()
    assert reel.frames == (
        Image("frame-0", NOON, "frames/0", 0.0),
        Image("frame-1000", NOON + timedelta(seconds=1), "frames/1000", 1.0),
    )
    assert reel.duration_seconds == 2.0
    blob = await memory.blob(claim, "frames/1000")
    assert (blob.media_type, blob.data) == ("image/jpeg", b"1")


async def test_a_video_is_decoded_once(taken):
    first, _, claim = await taken()
    again, never, _ = await taken(claim=claim, reel=Reel(9))
    assert again == first
    assert never.asked == []


@pytest.mark.parametrize(
    ("rate", "most", "asked"),
    [(0.0, 0, (sampling.FRAMES_PER_SECOND, sampling.MOST_FRAMES)), (2.5, 7, (2.5, 7))],
)
async def test_the_sender_may_say_how_many_frames(taken, rate, most, asked):
    _, film, _ = await taken(Video("", None, "images/0", rate, most))
    assert film.asked == [(b"0", *asked)]


async def test_frames_of_a_video_without_a_time_have_offsets_alone(taken):
    reel, *_ = await taken(Video("", None, "images/0"))
    assert [it.capture_time for it in reel.frames] == [None, None]


async def test_a_clock_at_the_end_of_time_fails_no_job(taken):
    reel, *_ = await taken(Video("", datetime.max.replace(tzinfo=UTC), "images/0"))
    assert [it.capture_time is None for it in reel.frames] == [False, True]
