"""What every store of sessions must do, asked of PostgreSQL and of the double alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.errors import Conflict, NotFound
from services.jobs.adapters.postgres import Database, PostgresSessionStore
from services.jobs.content import (
    ActionItem,
    Evidence,
    Finding,
    Findings,
    MissingPart,
    Risk,
    RiskFinding,
    Segment,
    Severity,
    Transcript,
    Word,
)
from services.jobs.sessions.domain import Hearing, NewSession, SessionState
from services.jobs.sessions.live import Encoding, Opening, Progress
from tests.doubles.session_store_memory import MemorySessionStore

HEARING = Hearing("h2", "h2-secret", 2**33, 3, 2.5)
LEASE = timedelta(minutes=1)
NOW = timedelta()
OPENING = Opening("glasses-1", Encoding.MULAW, 8_000, "de", ("Ada",))
NEW = NewSession("acme", "glasses-1", "secret", "h1", "h-secret", OPENING)
EVIDENCE = (Evidence("Stop.", 0.5, 1.5, "S1"), Evidence("a ladder", image_id="front"))
TRANSCRIPT = Transcript(
    "Stop.",
    (Segment(0.5, 1.5, "Stop.", "S1", (Word(0.5, 1.5, "Stop.", 0.9),), 0.9, "en"),),
    "en",
    2.0,
    0.9,
)
FINDINGS = Findings(
    "They stop.",
    (Finding("We stop.", EVIDENCE),),
    (Finding("Why?", EVIDENCE),),
    (ActionItem("Stop", "Stop at once.", ("brake",), "S1", EVIDENCE),),
    (RiskFinding(Risk("a wall", Severity.HIGH), EVIDENCE),),
    3,
    (MissingPart("risks", "the time was up"),),
)


@pytest.fixture(params=["postgres", "memory"])
async def store(request):
    if request.param == "memory":
        yield MemorySessionStore()
        return
    async with Database(request.getfixturevalue("database_url")) as database:
        yield PostgresSessionStore(database)


async def test_a_session_is_found_by_its_tenant_alone(store):
    opened = await store.open(NEW, lease=LEASE)
    assert (await store.find("acme", "glasses-1")) == opened
    assert opened.state is SessionState.OPEN
    assert await store.find("other", "glasses-1") is None


async def test_of_several_with_one_id_the_newest_is_found(store):
    await store.open(NEW, lease=LEASE)
    newer = await store.open(NEW, lease=LEASE)
    assert (await store.find("acme", "glasses-1")).key == newer.key


async def test_a_session_that_is_held_is_not_claimed(store):
    await store.open(NEW, lease=LEASE)
    assert await store.claim(limit=9, lease=LEASE) == []


async def test_a_session_that_was_left_is_claimed_once(store):
    opened = await store.open(NEW, lease=LEASE)
    await store.leave(opened, wait=NOW)
    [claimed] = await store.claim(limit=9, lease=LEASE)
    assert (claimed.key, claimed.attempts) == (opened.key, 1)
    assert await store.claim(limit=9, lease=LEASE) == []


async def test_a_session_is_not_claimed_before_its_wait_is_over(store):
    opened = await store.open(NEW, lease=LEASE)
    await store.leave(opened, wait=LEASE)
    assert await store.claim(limit=9, lease=LEASE) == []


async def test_a_session_whose_holder_gives_no_sign_is_claimed(store):
    await store.open(NEW, lease=NOW)
    assert len(await store.claim(limit=9, lease=LEASE)) == 1


async def test_who_gives_a_sign_keeps_hold(store):
    opened = await store.open(NEW, lease=NOW)
    await store.keep(opened, lease=LEASE)
    assert await store.claim(limit=9, lease=LEASE) == []


async def test_no_more_are_claimed_than_asked_for(store):
    for _ in range(3):
        await store.open(NEW, lease=NOW)
    assert len(await store.claim(limit=2, lease=LEASE)) == 2


async def test_who_takes_a_session_up_by_its_token_takes_the_hold(store):
    opened = await store.open(NEW, lease=LEASE)
    taken = await store.take_up("acme", "glasses-1", "secret", lease=LEASE)
    assert taken.key == opened.key
    for write in (
        store.keep(opened, lease=LEASE),
        store.leave(opened, wait=NOW),
        store.hear(opened, 0, TRANSCRIPT.segments[0]),
        store.hear_anew(opened, HEARING),
        store.hear_out(opened, TRANSCRIPT),
        store.note(opened, Progress(2, 1)),
        store.end(opened, FINDINGS, keep=LEASE),
    ):
        with pytest.raises(Conflict):
            await write
    await store.keep(taken, lease=LEASE)
    assert await store.heard(taken) == []


async def test_segments_are_written_down_and_come_back_in_order(store):
    opened = await store.open(NEW, lease=LEASE)
    [first] = TRANSCRIPT.segments
    second = replace(first, text="Go on.")
    await store.hear(opened, 1, second)
    await store.hear(opened, 0, first)
    assert await store.heard(opened) == [first, second]
    await store.hear(opened, 1, first)
    assert await store.heard(opened) == [first, first]


async def test_a_session_that_is_heard_anew_knows_by_whom_and_from_where(store):
    opened = await store.open(NEW, lease=LEASE)
    assert opened.opening == OPENING
    await store.hear_anew(opened, HEARING)
    anew = await store.hear_anew(opened, HEARING)
    assert (anew.hearing_id, anew.hearing_token) == ("h2", "h2-secret")
    assert (anew.begin, anew.segments_before, anew.lost_seconds) == (2**33, 3, 5.0)
    assert (await store.find("acme", "glasses-1")) == anew


async def test_a_session_that_is_claimed_can_still_be_taken_up(store):
    await store.open(NEW, lease=NOW)
    [claimed] = await store.claim(limit=1, lease=LEASE)
    await store.take_up("acme", "glasses-1", "secret", lease=LEASE)
    with pytest.raises(Conflict):
        await store.hear_out(claimed, TRANSCRIPT)


@pytest.mark.parametrize(
    "named",
    [
        ("other", "glasses-1", "secret"),
        ("acme", "glasses-2", "secret"),
        ("acme", "glasses-1", "guessed"),
    ],
)
async def test_a_session_is_not_taken_up_without_all_that_proves_it(store, named):
    await store.open(NEW, lease=LEASE)
    with pytest.raises(NotFound):
        await store.take_up(*named, lease=LEASE)


async def test_what_was_heard_and_found_is_kept_as_it_was(store):
    opened = await store.open(NEW, lease=LEASE)
    heard = await store.hear_out(opened, TRANSCRIPT)
    assert (heard.state, heard.transcript) == (SessionState.ANALYZING, TRANSCRIPT)
    await store.end(heard, FINDINGS, keep=LEASE)
    ended = await store.find("acme", "glasses-1")
    assert (ended.state, ended.transcript) == (SessionState.ENDED, TRANSCRIPT)
    assert ended.findings == FINDINGS
    assert ended.expire_time - ended.end_time == LEASE


async def test_how_far_an_analysis_is_is_kept(store):
    opened = await store.open(NEW, lease=LEASE)
    assert opened.progress == Progress()
    heard = await store.hear_out(opened, TRANSCRIPT)
    await store.note(heard, Progress(3, 1))
    assert (await store.find("acme", "glasses-1")).progress == Progress(3, 1)
    assert (await store.take_up("acme", "glasses-1", "secret", lease=LEASE)).findings is None


async def test_taking_up_a_session_that_was_heard_out_takes_no_hold(store):
    opened = await store.open(NEW, lease=LEASE)
    heard = await store.hear_out(opened, TRANSCRIPT)
    await store.take_up("acme", "glasses-1", "secret", lease=LEASE)
    await store.end(heard, FINDINGS, keep=LEASE)


async def test_a_session_that_ended_is_never_claimed(store):
    opened = await store.open(NEW, lease=NOW)
    await store.end(await store.hear_out(opened, TRANSCRIPT), FINDINGS, keep=LEASE)
    assert await store.claim(limit=9, lease=LEASE) == []


async def test_a_session_that_expired_is_not_found_and_is_forgotten(store):
    kept, expired = NEW, replace(NEW, session_id="glasses-2")
    for new, keep in ((kept, LEASE), (expired, NOW)):
        opened = await store.open(new, lease=LEASE)
        await store.end(await store.hear_out(opened, TRANSCRIPT), FINDINGS, keep=keep)
    assert await store.find("acme", "glasses-2") is None
    assert await store.forget(9) == 1
    assert await store.forget(9) == 0
    assert await store.find("acme", "glasses-1")


async def test_a_bell_rings_when_a_session_is_left_is_further_or_ends(store):
    opened = await store.open(NEW, lease=LEASE)
    with store.changes() as bell:
        async with asyncio.timeout(5):
            await store.leave(opened, wait=NOW)
            await bell.wait(60)
            [claimed] = await store.claim(limit=1, lease=LEASE)
            heard = await store.hear_out(claimed, TRANSCRIPT)
            await store.note(heard, Progress(1, 0))
            await bell.wait(60)
            await store.end(heard, FINDINGS, keep=LEASE)
            await bell.wait(60)
