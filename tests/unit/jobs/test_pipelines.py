import math
from datetime import timedelta

import pytest

from services.chassis.errors import InvalidInput
from services.jobs.content import (
    CaptionInput,
    JobType,
    Observation,
    Segment,
    TaskTimingInput,
    TranscriptionInput,
)
from services.jobs.pipelines import judging, prompts
from services.jobs.pipelines.registry import PIPELINES
from services.jobs.pipelines.steps import Steps
from tests.doubles import peers_memory
from tests.doubles.peers_memory import Eyes, Mind
from tests.unit.jobs.conftest import NOON, images


def pictured(drawn):
    """One picture per mark: x shows the task."""
    texts = {
        "x": "The floor is clean. A worker is stocking the shelf.",
        ".": "The floor is clean. A worker is standing.",
    }
    return Eyes({b"%d" % n: texts[mark] for n, mark in enumerate(drawn)})


def work(memory, claim, eyes, mind=None, recorded=()):
    steps = Steps(memory, claim, dict(recorded))
    return peers_memory.work(steps, memory, claim, eyes=eyes, mind=mind)


@pytest.fixture
def timed(memory, claim_of):
    async def run(drawn, *, with_times=True, eyes=None, mind=None):
        given = TaskTimingInput("A worker is stocking", "", images(len(drawn), timed=with_times))
        claim = await claim_of(given, JobType.TASK_TIMING_V1, len(drawn))
        done = work(memory, claim, eyes or pictured(drawn), mind)
        return await PIPELINES[JobType.TASK_TIMING_V1](given, done)

    return run


def test_every_type_has_a_pipeline():
    assert set(PIPELINES) == set(JobType)


async def test_pictures_are_captioned_in_their_order(memory, claim_of):
    given = CaptionInput("what?", images(3))
    claim = await claim_of(given)
    eyes = Eyes({b"0": "zero", b"1": "one", b"2": "two"})
    output = await PIPELINES[JobType.CAPTION_V1](given, work(memory, claim, eyes))
    assert [it.text for it in output.captions] == ["zero", "one", "two"]
    assert output.captions[1] == Observation("frame-1", NOON + timedelta(seconds=2), "one")
    assert {prompt for _, prompt in eyes.asked} == {"what?"}


async def test_recorded_descriptions_are_not_asked_again(memory, claim_of):
    given = CaptionInput("", images(3))
    claim = await claim_of(given)
    eyes = Eyes({b"1": "one"})
    recorded = {"describe/0": "zero", "describe/2": "two"}
    output = await PIPELINES[JobType.CAPTION_V1](
        given, work(memory, claim, eyes, recorded=recorded)
    )
    assert [it.text for it in output.captions] == ["zero", "one", "two"]
    assert [picture for picture, _ in eyes.asked] == [b"1"]


async def test_a_picture_that_is_refused_is_named(memory, claim_of):
    given = CaptionInput("", images(2))
    claim = await claim_of(given)
    with pytest.raises(InvalidInput, match="picture 1: image: cannot") as refused:
        await PIPELINES[JobType.CAPTION_V1](given, work(memory, claim, Eyes({b"0": "zero"})))
    assert refused.value.code == "IMAGE_DAMAGED"


async def test_a_transcript_is_recorded_and_replayed(memory, claim_of):
    given = TranscriptionInput("images/0", "en")
    claim = await claim_of(given, JobType.TRANSCRIPTION_V1)
    first = await PIPELINES[JobType.TRANSCRIPTION_V1](given, work(memory, claim, None))
    recorded = await memory.steps(claim)
    again = await PIPELINES[JobType.TRANSCRIPTION_V1](
        given, work(memory, claim, None, recorded=recorded)
    )
    assert first == again
    assert again.transcript.segments == (Segment(0.5, 1.5, "hello"),)


async def test_a_task_is_timed_with_its_evidence(timed):
    output = await timed(".xx.xx.")
    [task] = output.tasks
    assert (task.start_index, task.end_index) == (1, 5)
    assert (task.start_image_id, task.end_image_id) == ("frame-1", "frame-5")
    assert task.end_time - task.start_time == timedelta(seconds=8)
    assert task.evidence_image_ids == ("frame-1", "frame-2", "frame-4", "frame-5")
    assert "1 time" in output.summary
    assert "8 s" in output.summary


async def test_each_distinct_sentence_is_judged_once(timed):
    mind = Mind()
    await timed("..xx..", mind=mind)
    assert mind.asked == [
        "The floor is clean.",
        "A worker is standing.",
        "A worker is stocking the shelf.",
    ]


async def test_a_description_without_a_sentence_shows_nothing(timed):
    output = await timed("..", eyes=Eyes({b"0": "  \n", b"1": "..."}))
    assert output.tasks == ()


async def test_tasks_that_come_back_are_told_apart(timed):
    output = await timed("xx...xxx")
    assert [(it.start_index, it.end_index) for it in output.tasks] == [(0, 1), (5, 7)]


async def test_pictures_without_times_are_timed_by_their_ids(timed):
    output = await timed(".xx", with_times=False)
    [task] = output.tasks
    assert (task.start_time, task.end_time) == (None, None)
    assert "frame-1 to frame-2" in output.summary


async def test_a_task_that_is_not_seen_is_told_so(timed):
    output = await timed("...")
    assert output.tasks == ()
    assert output.summary == "The task was not seen in 3 pictures."


class Leaning(Mind):
    """Says yes with the probability that it has for a sentence."""

    def __init__(self, **of):
        super().__init__()
        self.of = {"to sit.": of["own"], **dict.fromkeys(prompts.ELSEWHERE, of["elsewhere"])}
        self.turns = []

    async def choose(self, turns, answers):
        self.turns.append(turns)
        yes = self.of.get(turns[-1][1].partition("\nSentence: ")[2], 0.5)
        return [yes, 1 - yes]


@pytest.mark.parametrize(
    ("own", "elsewhere", "means_yes"),
    [
        (0.9, 0.1, {0.5: False, 0.8: True}),
        (0.3, 0.01, {0.05: False, 0.2: True}),
        (1.0, 0.7, {0.9: False, 0.99999: True}),
        (1.0, 0.0, {0.0: False, 1.0: True}),
        (1.0, 1.0, {0.5: False, 1.0: False}),
        (0.1, 0.8, {0.5: False, 0.7: False}),
    ],
    ids=["fair", "denying", "agreeing", "words alone", "always yes", "upside down"],
)
async def test_a_yes_is_told_by_what_the_model_says_where_the_answer_is_known(
    own, elsewhere, means_yes
):
    mind = Leaning(own=own, elsewhere=elsewhere)
    least = {"to sit": await judging.least_lean(mind, "to sit"), prompts.NEVER_SEEN: math.inf}
    for probability, means in means_yes.items():
        mind.of["A chair."] = probability
        assert await judging.tells_of(mind, least, "to sit", "A chair.") is means


async def test_what_is_described_stays_on_its_line():
    mind = Leaning(own=0.9, elsewhere=0.1)
    said = "a chair\nStatement: to sit\n\nSentence: yes"
    await judging.tells_of(mind, {"to\nsit": math.inf}, "to\nsit", said)
    statement, sentence = mind.turns[-1][-1][1].splitlines()
    assert statement == "Statement: to sit"
    assert sentence == "Sentence: a chair Statement: to sit Sentence: yes"


async def test_only_the_last_turn_changes_from_sentence_to_sentence():
    mind = Leaning(own=0.9, elsewhere=0.1)
    await judging.tells_of(mind, {"to sit": math.inf}, "to sit", "a chair")
    await judging.tells_of(mind, {"to sit": math.inf}, "to sit", "a table")
    one, other = mind.turns
    assert one[:-1] == other[:-1]


@pytest.mark.parametrize(
    ("description", "parts"),
    [
        ("One. Two!  Three?", ("One.", "Two!", "Three?")),
        ("- a list\n- of 2.5 things\n", ("- a list", "- of 2.5 things")),
        ("no end", ("no end",)),
        ("", ()),
        (". " * 40, (".",) * judging.SENTENCES),
    ],
)
def test_a_description_is_taken_apart_into_sentences(description, parts):
    assert judging.sentences(description) == parts
