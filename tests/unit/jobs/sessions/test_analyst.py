import asyncio
from datetime import timedelta

import pytest

from services.chassis.errors import Exhausted, Unavailable
from services.jobs.content import Findings, Segment, Transcript
from services.jobs.pipelines.session_prompts import IDLE
from services.jobs.sessions import analyst
from services.jobs.sessions.analyst import Analyst
from services.jobs.sessions.live import Progress
from tests.doubles.mind_of_sessions import SessionMind

MINUTE = timedelta(minutes=1)


def transcript(*said, language="en"):
    segments = tuple(
        Segment(float(place), place + 1.0, text, speaker=f"S{place % 2 + 1}")
        for place, text in enumerate(said)
    )
    return Transcript(" ".join(said), segments, language, float(len(said)))


def ignore(progress):
    pass


SAID = transcript("Please clean the floor.", "We decided to stay open.", "The floor is dangerous.")


async def test_everything_is_told_of_a_session():
    found = await Analyst(SessionMind(), within=MINUTE)(SAID, ignore)
    assert found.summary == "3 lines: S1: The floor is dangerous."
    [sentence] = found.summary_sentences
    assert [it.start_seconds for it in sentence.evidence] == [2.0]
    assert [it.text for it in found.decisions] == ["We decided to stay open."]
    assert [it.title for it in found.action_items] == ["clean the floor"]
    assert [it.risk.description for it in found.risks] == ["The floor is dangerous."]
    assert found.missing == ()


async def test_it_tells_how_far_it_is():
    told = []
    await Analyst(SessionMind(), within=MINUTE)(SAID, told.append)
    assert told[0] == Progress(1, 0)
    counts = [(it.asked, it.answered) for it in told]
    assert counts == sorted(counts, key=lambda it: (it[1], it[0]))
    assert told[-1].asked == told[-1].answered > 6


async def test_questions_that_get_no_answer_are_done_with_too():
    told = []
    down = SessionMind(failing=[Unavailable("the engine is down")] * 9)
    await Analyst(down, within=MINUTE)(SAID, told.append)
    assert told[-1].asked == told[-1].answered > 1


async def test_what_a_model_writes_it_is_asked_for_in_the_language_of_the_session():
    mind = SessionMind()
    await Analyst(mind, within=MINUTE)(transcript("Please fegen.", language="de"), ignore)
    asked = [it for it in mind.asked if it.endswith("\nWrite in German.")]
    assert [it.split()[0] for it in asked] == ["Lines:", "Before:"]
    await Analyst(mind, within=MINUTE)(SAID, ignore)
    assert not any("Write in English" in it for it in mind.asked)


async def test_silence_asks_no_model():
    mind = SessionMind()
    assert await Analyst(mind, within=MINUTE)(transcript(), ignore) == Findings()
    assert mind.asked == []


async def test_an_engine_that_is_down_leaves_the_parts_named_as_missing_and_is_not_asked_again():
    mind = SessionMind(failing=[Unavailable("the engine is down")] * 9)
    found = await Analyst(mind, within=MINUTE)(SAID, ignore)
    assert (found.summary, found.decisions, found.action_items) == ("", (), ())
    assert {it.part for it in found.missing} == {
        "summary",
        "decisions",
        "action_items",
        "risks",
    }
    assert all("the engine is down" in it.reason for it in found.missing)
    assert len(mind.failing) == 8


async def test_an_engine_with_too_much_to_do_is_asked_again():
    busy = Exhausted("busy", retry_after=timedelta(0))
    found = await Analyst(SessionMind(failing=[busy, busy]), within=MINUTE)(SAID, ignore)
    assert found.missing == ()
    assert found.summary


async def test_an_engine_that_hangs_costs_no_more_than_the_time_allowed():
    async with asyncio.timeout(20):
        found = await Analyst(SessionMind(hangs=True), within=timedelta(seconds=0.1))(SAID, ignore)
    assert "time" in found.missing[0].reason


async def test_when_the_time_is_up_what_was_found_is_told_and_later_questions_have_theirs():
    mind = SessionMind(hangs_at="Line: The floor")
    async with asyncio.timeout(20):
        found = await Analyst(mind, within=timedelta(seconds=3))(SAID, ignore)
    assert found.summary
    assert [it.text for it in found.decisions] == ["We decided to stay open."]
    assert [it.title for it in found.action_items] == ["clean the floor"]
    [reason] = {it.reason for it in found.missing if it.part != "action_items"}
    told, _, counts = reason.partition("; ")
    assert told == "the time for the analysis was up"
    answered, asked = (int(it) for it in counts.split() if it.isdecimal())
    assert answered == asked - 1 > 3


async def test_what_could_not_be_checked_any_more_is_told_and_named_as_not_whole(monkeypatch):
    monkeypatch.setattr(analyst, "_PATIENCE_SECONDS", 0.0)
    found = await Analyst(SessionMind(down_at=IDLE[0]), within=MINUTE)(SAID, ignore)
    assert [it.text for it in found.decisions] == ["We decided to stay open."]
    assert [it.title for it in found.action_items] == ["Please clean the floor."]
    assert [it.risk.description for it in found.risks] == ["The floor is dangerous."]
    assert {it.part for it in found.missing} == {"decisions", "action_items", "risks"}
    reason = found.missing[0].reason
    assert reason.startswith("the language engine did not answer: the engine went away; 3 of")


async def test_an_engine_that_is_away_for_a_moment_costs_nothing():
    gone = Unavailable("the engine starts", retry_after=timedelta(0))
    mind = SessionMind(failing=[None, None, None, gone, gone, gone, None, gone])
    found = await Analyst(mind, within=MINUTE)(SAID, ignore)
    assert found.missing == ()
    assert found.decisions
    assert found.risks


async def test_of_a_summary_that_is_not_whole_the_parts_are_told():
    mind = SessionMind(hangs_at="lines: S")
    long = transcript(*[f"{place} {'word ' * 110}" for place in range(40)])
    async with asyncio.timeout(20):
        found = await Analyst(mind, within=timedelta(seconds=3))(long, ignore)
    assert len(found.summary_sentences) > 1
    assert "summary" in {it.part for it in found.missing}


@pytest.mark.parametrize("count", [1, 400])
async def test_a_session_of_any_length_is_asked_in_parts_that_fit_a_small_context(count):
    mind = SessionMind()
    found = await Analyst(mind, within=MINUTE)(
        transcript(*[f"We decided on day {it}." for it in range(count)]), ignore
    )
    assert len(found.decisions) == count
    # Some 2000 tokens, of four letters each as the double counts.
    assert max(len(it) for it in mind.asked) < 8500
