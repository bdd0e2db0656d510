"""Every pipeline, killed after each of its steps, goes on where it was."""

from collections import Counter

import pytest

from services.jobs.content import (
    CaptionInput,
    JobType,
    SessionReportInput,
    SurveillanceInput,
    TaskTimingInput,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.domain import JobEventKind, Progress
from services.jobs.pipelines.registry import PIPELINES
from services.jobs.pipelines.steps import Steps
from tests.doubles import peers_memory
from tests.doubles.peers_memory import Ears, Eyes, Mind, Reel
from tests.unit.jobs.conftest import images

SAID = (
    "A worker is standing. There is no ladder.",
    "A worker is stocking. There is a ladder.",
    "A worker is stocking. There is a spill.",
)
INPUTS = {
    JobType.CAPTION_V1: CaptionInput("", images(3)),
    JobType.VLM_ONLY: VlmOnlyInput("what?", images(3)),
    JobType.TASK_TIMING_V1: TaskTimingInput("stocking", "", images(3)),
    JobType.SURVEILLANCE_V1: SurveillanceInput("", (), Video("", None, "images/0")),
    JobType.VIDEO_SUMMARY_V1: VideoSummaryInput(Video("", None, "images/0"), ""),
    JobType.TRANSCRIPTION_V1: TranscriptionInput("images/0", "en"),
    JobType.SESSION_REPORT_V1: SessionReportInput(
        TranscriptionInput("images/0", "en"), None, images(3)
    ),
}
STEPS = {
    JobType.CAPTION_V1: [f"describe/{n}" for n in range(3)],
    JobType.VLM_ONLY: [f"describe/{n}" for n in range(3)],
    JobType.TASK_TIMING_V1: [
        *(f"describe/{n}" for n in range(3)),
        *(f"judge/{n}" for n in range(5)),
        "readable/0",
    ],
    JobType.SURVEILLANCE_V1: [
        "sample",
        *(f"analyze/{n}" for n in range(3)),
        *(f"claim/{n}" for n in range(5)),
        *(f"check/{n}" for n in range(3)),
        *(f"rate/{n}" for n in range(2)),
    ],
    JobType.VIDEO_SUMMARY_V1: [
        "sample",
        *(f"describe/{n}" for n in range(3)),
        "measure/0",
        "recap/0/0",
    ],
    JobType.TRANSCRIPTION_V1: ["transcribe"],
    JobType.SESSION_REPORT_V1: [
        "transcribe",
        *(f"analyze/{n}" for n in range(3)),
        *(f"claim/{n}" for n in range(5)),
        *(f"check/{n}" for n in range(3)),
        *(f"rate/{n}" for n in range(2)),
        "measure/0",
        "recap/0/0",
    ],
}
"""Their names are kept by jobs that are under way when a worker is replaced by a newer one."""
KILLS = [(kind, after) for kind, keys in STEPS.items() for after in range(len(keys))]


class Killed(Exception):
    """What a worker is killed by."""


class Mortal:
    """A queue whose worker is killed once it has recorded so many steps."""

    def __init__(self, queue, after):
        self.queue = queue
        self.left = after

    async def record_step(self, *args, **options):
        if self.left == 0:
            raise Killed
        self.left -= 1
        await self.queue.record_step(*args, **options)

    async def report(self, *args):
        await self.queue.report(*args)


class Rooms:
    """The other rooms, and how often each was asked what."""

    def __init__(self):
        self.eyes = Eyes({b"%d" % n: text for n, text in enumerate(SAID)})
        self.mind = Mind(refuted=("no ladder",))
        self.ears = Ears()
        self.reel = Reel(3)

    async def run(self, memory, claim, *, queue=None):
        steps = Steps(queue or memory, claim, await memory.steps(claim))
        work = peers_memory.work(
            steps, memory, claim, eyes=self.eyes, mind=self.mind, ears=self.ears, reel=self.reel
        )
        return await PIPELINES[claim.type](claim.input, work)

    @property
    def paid(self):
        asked = (*self.eyes.asked, *self.mind.questions, *self.ears.asked, *self.reel.asked)
        return Counter(map(str, (*asked, *self.mind.counted)))


def test_every_pipeline_is_killed_here():
    assert set(INPUTS) == set(STEPS) == set(JobType)


@pytest.mark.parametrize("kind", JobType)
async def test_steps_are_those_that_older_workers_recorded(kind, memory, claim_of):
    claim = await claim_of(INPUTS[kind], kind)
    await Rooms().run(memory, claim)
    assert list(await memory.steps(claim)) == STEPS[kind]


@pytest.mark.parametrize("kind", JobType)
async def test_progress_names_the_step_under_way_and_ends_whole(kind, memory, claim_of):
    claim = await claim_of(INPUTS[kind], kind)
    await Rooms().run(memory, claim)
    job = await memory.get("acme", claim.id)
    count = len(STEPS[kind])
    assert job.progress == Progress(count, count)
    events = await memory.events(job, after=0)
    told = [it for it in events if it.kind is JobEventKind.STEP_COMPLETED]
    assert [it.progress.done_steps for it in told] == list(range(1, count + 1))
    followed_by = dict(zip(STEPS[kind], [*STEPS[kind][1:], ""], strict=True))
    for event in told:
        # A stage is announced when what it will be made of is known.
        assert event.progress.current_step in (followed_by[event.step], "")


@pytest.mark.parametrize(("kind", "after"), KILLS)
async def test_a_killed_job_pays_for_no_recorded_step_again(kind, after, memory, claim_of):
    clean = await claim_of(INPUTS[kind], kind)
    whole = Rooms()
    expected = await whole.run(memory, clean)

    claim = await claim_of(INPUTS[kind], kind)
    with pytest.raises(Killed):
        await Rooms().run(memory, claim, queue=Mortal(memory, after))
    recorded = await memory.steps(claim)
    assert len(recorded) == after
    second = Rooms()
    assert await second.run(memory, claim) == expected
    assert second.paid.total() == len(STEPS[kind]) - after
    assert second.paid <= whole.paid


@pytest.mark.parametrize("kind", JobType)
@pytest.mark.parametrize("place", [0, -1])
async def test_code_that_asks_for_one_more_step_pays_for_that_alone(kind, place, memory, claim_of):
    claim = await claim_of(INPUTS[kind], kind)
    expected = await Rooms().run(memory, claim)
    # As an older version would have left it, which did not know of this step.
    del memory.kept[claim.id].steps[STEPS[kind][place]]
    newer = Rooms()
    assert await newer.run(memory, claim) == expected
    assert newer.paid.total() == 1
