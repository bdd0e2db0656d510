import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from services.chassis import call
from services.chassis.errors import Exhausted, NotFound, TimedOut, Unavailable
from services.jobs.content import Finding, Findings, Word
from services.jobs.sessions import noting, waiting
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.closing import Closer
from services.jobs.sessions.core import Sessions
from services.jobs.sessions.domain import SessionState
from services.jobs.sessions.live import (
    Acknowledged,
    Analyzed,
    Chunk,
    Encoding,
    End,
    Opening,
    Partial,
    Progress,
    Ready,
    Resumption,
    SegmentHeard,
    Whole,
)
from tests.doubles.listener_fake import FakeListener
from tests.doubles.session_store_memory import MemorySessionStore

BOUNDS = Bounds(streams=2, kept=timedelta(seconds=60), analysis=timedelta(seconds=5))
OPENING = Opening("glasses")
PARTS = ["summary", "decisions", "open_questions", "action_items", "risks"]


async def analyst(transcript, tell):
    return Findings(summary=f"{len(transcript.segments)} said", dropped_claims=1)


class Room:
    """The sessions of a process, and the one who ends them."""

    def __init__(self, analyst=analyst, bounds=BOUNDS):
        self.store, self.listener = MemorySessionStore(), FakeListener()
        self.sessions = Sessions(self.store, self.listener, bounds)
        self.closer = Closer(self.store, self.listener, analyst, bounds)

    async def state(self, wanted):
        async with asyncio.timeout(10):
            with self.store.changes() as bell:
                while (session := await self.sessions.get("glasses")).state is not wanted:
                    await bell.wait(0.05)
        return session


@asynccontextmanager
async def running(**given):
    room = Room(**given)
    async with room.closer.running():
        yield room


async def said(*messages):
    for message in messages:
        yield message


async def said_and_silent(*messages):
    for message in messages:
        yield message
    await asyncio.Event().wait()


async def all_of(stream):
    async with asyncio.timeout(10), aclosing(stream) as told:
        return [each async for each in told]


async def until(stream, kind):
    """What a stream tells up to the first of a kind; then its client is gone."""
    heard = []
    async with asyncio.timeout(10), aclosing(stream) as told:
        async for each in told:
            heard.append(each)
            if isinstance(each, kind):
                break
    return heard


async def test_a_session_is_heard_kept_and_analysed():
    async with running() as room:
        told = await all_of(room.sessions.analyze(OPENING, said(Chunk(b"one two "), End())))
        kept = await room.sessions.get("glasses")
    assert isinstance(told[0], Ready)
    assert told[0].session_id == "glasses"
    whole, analyzed = (it for it in told[-3:] if not isinstance(it, Progress))
    assert isinstance(whole, Whole)
    assert analyzed == Analyzed(whole.transcript, Findings("2 said", dropped_claims=1))
    assert (kept.state, kept.findings) == (SessionState.ENDED, analyzed.findings)


async def test_a_session_without_an_id_is_given_one():
    async with running() as room:
        told = await all_of(room.sessions.analyze(Opening(), said(End())))
        assert await room.sessions.get(told[0].session_id)


async def test_a_stream_that_breaks_off_is_taken_up_where_it_was():
    async with running() as room:
        [ready, *_] = await until(
            room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one two "))), SegmentHeard
        )
        again = Resumption("glasses", ready.token, acknowledged=8, segments=1)
        told = await all_of(room.sessions.analyze(again, said(Chunk(b"three ", 8), End())))
    assert told[0].offset == 8
    assert [it.segment.text for it in told if isinstance(it, SegmentHeard)] == ["two.", "three."]
    assert told[-1].transcript.text == "one. two. three."


async def test_a_session_whose_client_stays_away_ends_and_is_kept():
    async with running() as room:
        await until(room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one "))), SegmentHeard)
        assert (await room.sessions.get("glasses")).state is SessionState.OPEN
        room.store.passed = timedelta(seconds=61)
        session = await room.state(SessionState.ENDED)
    assert session.transcript.text == "one."
    assert session.findings.summary == "1 said"
    assert room.listener.ended == ["h0"]


async def test_a_client_that_lost_the_last_answer_gets_it_again():
    async with running() as room:
        told = await all_of(room.sessions.analyze(OPENING, said(Chunk(b"one two "), End())))
        again = Resumption("glasses", told[0].token, acknowledged=8, segments=1)
        repeated = await all_of(room.sessions.analyze(again, said()))
    assert [type(it) for it in repeated] == [Ready, SegmentHeard, Whole, Analyzed]
    assert repeated[-1] == told[-1]


async def test_a_client_that_leaves_during_the_analysis_finds_it_made():
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(transcript, tell):
        asked.set()
        await go.wait()
        return Findings("done")

    async with running(analyst=slow) as room:
        await until(room.sessions.analyze(OPENING, said(Chunk(b"one "), End())), Whole)
        async with asyncio.timeout(10):
            await asked.wait()
        assert (await room.sessions.get("glasses")).state is SessionState.ANALYZING
        go.set()
        assert (await room.state(SessionState.ENDED)).findings.summary == "done"


async def test_who_waits_for_an_analysis_is_told_how_far_it_is(monkeypatch):
    monkeypatch.setattr(noting, "_PAUSE_SECONDS", 0.0)
    go = asyncio.Event()

    async def slow(transcript, tell):
        for answered in range(3):
            tell(Progress(2, answered))
            go.clear()
            await go.wait()
        return Findings("done")

    progress = []
    async with (
        running(analyst=slow) as room,
        asyncio.timeout(10),
        aclosing(room.sessions.analyze(OPENING, said(Chunk(b"one "), End()))) as told,
    ):
        async for each in told:
            if isinstance(each, Progress):
                progress.append(each)
                if each.asked:
                    go.set()
    assert progress[-3:] == [Progress(2, 0), Progress(2, 1), Progress(2, 2)]
    assert isinstance(each, Analyzed)
    assert (await room.sessions.get("glasses")).progress == Progress(2, 2)


async def test_who_waits_for_an_analysis_that_gets_no_further_is_given_signs_of_life(monkeypatch):
    monkeypatch.setattr(waiting, "_SIGN_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.01)
    room = Room()
    signs = 0
    stream = room.sessions.analyze(OPENING, said(Chunk(b"one "), End()))
    async with asyncio.timeout(10), aclosing(stream) as told:
        async for each in told:
            signs += each == Progress()
            if signs == 3:
                break
    assert signs == 3


async def test_an_analysis_that_never_comes_is_given_up(monkeypatch):
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.01)
    quick = timedelta(seconds=0.02)
    room = Room(bounds=Bounds(analysis=quick, lease=quick))
    with pytest.raises(TimedOut, match="GetSession"):
        await all_of(room.sessions.analyze(OPENING, said(Chunk(b"one "), End())))


async def test_more_sessions_than_there_are_places_are_refused_at_the_start():
    room = Room()
    async with aclosing(room.sessions.analyze(OPENING, said_and_silent())) as first:
        await anext(first)
        async with aclosing(room.sessions.analyze(OPENING, said_and_silent())) as second:
            await anext(second)
            with pytest.raises(Exhausted) as refused:
                await anext(room.sessions.analyze(OPENING, said_and_silent()))
            assert refused.value.retry_after
        async with aclosing(room.sessions.analyze(OPENING, said_and_silent())) as third:
            assert await anext(third)


async def test_what_the_audio_room_refuses_leaves_no_session_and_no_place():
    room = Room()
    for _ in range(BOUNDS.streams + 1):
        room.listener.failing.append(Unavailable("the audio room is down"))
        with pytest.raises(Unavailable):
            await anext(room.sessions.analyze(OPENING, said()))
    with pytest.raises(NotFound):
        await room.sessions.get("glasses")


async def test_a_session_that_the_audio_room_lost_goes_on_in_a_new_one_there():
    async with running() as room:
        [ready, *_] = await until(
            room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one "))), SegmentHeard
        )
        room.listener.sessions.clear()
        again = Resumption("glasses", ready.token, acknowledged=4, segments=0)
        sent = said(Chunk(b"on", 0), Chunk(b"ne two ", 1), Chunk(b"three ", 8), End())
        told = await all_of(room.sessions.analyze(again, sent))
        session = await room.state(SessionState.ENDED)
    assert told[0].offset == 4
    texts = [it.segment.text for it in told if isinstance(it, SegmentHeard)]
    assert texts == ["one.", "two.", "three."]
    assert [it.offset for it in told if isinstance(it, Acknowledged)] == [8, 14]
    assert session.transcript.text == "one. two. three."
    assert session.transcript.segments[1].start_seconds == 4 / 32_000
    assert session.findings.missing == ()


async def test_words_that_were_told_as_certain_are_not_lost_with_the_audio_room():
    async with running() as room:
        room.listener.partial = Partial("one", " maybe", (Word(0.5, 1.0, "one", 0.9),))
        stream = room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one ")))
        [ready, *_] = await until(stream, Partial)
        room.listener.partial = None
        room.listener.sessions.clear()
        again = Resumption("glasses", ready.token, acknowledged=32_000)
        told = await all_of(room.sessions.analyze(again, said(Chunk(b"two ", 32_000), End())))
    assert [it.segment.text for it in told if isinstance(it, SegmentHeard)] == ["one", "two."]
    assert told[-1].transcript.text == "one two."
    assert told[-1].findings.missing == ()


async def test_words_that_were_kept_give_way_to_their_segment():
    async with running() as room:
        room.listener.partial = Partial("on", "", (Word(0.0, 0.5, "on", 0.9),))
        stream = room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one ")))
        [ready, *_] = await until(stream, Partial)
        room.listener.partial = None
        again = Resumption("glasses", ready.token, acknowledged=4)
        await until(room.sessions.analyze(again, said_and_silent()), SegmentHeard)
        room.listener.sessions.clear()
        room.store.passed = timedelta(seconds=61)
        session = await room.state(SessionState.ENDED)
    assert session.transcript.text == "one."


async def test_audio_that_was_acknowledged_and_not_heard_is_sent_to_the_audio_room_again():
    async with running() as room:
        room.listener.deaf = True
        sent = said_and_silent(Chunk(b"one "), Chunk(b"two "))
        [ready, *_] = await until(room.sessions.analyze(OPENING, sent), Acknowledged)
        room.listener.deaf = False
        room.listener.sessions.clear()
        again = Resumption("glasses", ready.token, acknowledged=4)
        rest = said(Chunk(b"two ", 4), Chunk(b"three "), End())
        told = await all_of(room.sessions.analyze(again, rest))
    assert told[0].offset == 4
    assert [it.offset for it in told if isinstance(it, Acknowledged)] == [8, 14]
    assert told[-1].transcript.text == "one. two. three."
    assert told[-1].findings.missing == ()


async def test_what_the_audio_room_lost_of_a_session_is_named():
    seconds = 32_000
    async with running() as room:
        [ready, *_] = await until(
            room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one "))), SegmentHeard
        )
        room.listener.sessions.clear()
        again = Resumption("glasses", ready.token, acknowledged=5 * seconds - 1, segments=1)
        sent = said(Chunk(b"two ", 5 * seconds), End())
        told = await all_of(room.sessions.analyze(again, sent))
        session = await room.state(SessionState.ENDED)
    assert told[0].offset == 5 * seconds
    assert [(it.part, it.reason) for it in session.findings.missing] == [
        ("transcript", "the audio room lost 4 seconds of it")
    ]
    assert [it.start_seconds for it in session.transcript.segments] == [0.0, 5.0]


async def test_a_session_that_can_be_heard_from_its_beginning_alone_ends_with_what_was_heard():
    async with running() as room:
        opening = Opening("glasses", Encoding.WEBM_OPUS)
        [ready, *_] = await until(
            room.sessions.analyze(opening, said_and_silent(Chunk(b"one "))), SegmentHeard
        )
        room.listener.sessions.clear()
        with pytest.raises(NotFound):
            await all_of(room.sessions.analyze(Resumption("glasses", ready.token), said()))
        session = await room.state(SessionState.ENDED)
    assert session.transcript.text == "one."
    assert session.findings.summary == "1 said"
    [missing] = session.findings.missing
    assert (missing.part, "it ends at 1 seconds" in missing.reason) == ("transcript", True)


async def test_a_session_of_which_nothing_was_heard_is_missing_as_a_whole():
    async with running() as room:
        await until(room.sessions.analyze(OPENING, said_and_silent()), Ready)
        room.listener.sessions.clear()
        room.store.passed = timedelta(seconds=61)
        session = await room.state(SessionState.ENDED)
    assert [it.part for it in session.findings.missing] == ["transcript", *PARTS]


async def test_a_tenant_sees_its_own_sessions_alone():
    async with running() as room:
        with call.use(call.Call(tenant="acme")):
            told = await all_of(room.sessions.analyze(OPENING, said(End())))
        with call.use(call.Call(tenant="other")):
            with pytest.raises(NotFound):
                await room.sessions.get("glasses")
            with pytest.raises(NotFound):
                await anext(room.sessions.analyze(Resumption("glasses", told[0].token), said()))


async def test_a_closed_stream_lets_the_audio_room_go():
    room = Room()
    await until(room.sessions.analyze(OPENING, said_and_silent(Chunk(b"one "))), SegmentHeard)
    assert room.listener.streams == 0


async def test_an_analysis_that_always_breaks_is_given_up():
    async def breaks(transcript, tell):
        raise RuntimeError(transcript.text)

    room = Room(analyst=breaks)
    async with room.closer.running():
        stream = room.sessions.analyze(OPENING, said(Chunk(b"one "), End()))
        await until(stream, Whole)
        async with asyncio.timeout(10):
            while (session := await room.sessions.get("glasses")).state is not SessionState.ENDED:
                room.store.passed += timedelta(seconds=30)
                await asyncio.sleep(0.05)
    assert session.transcript.text == "one."
    assert [it.part for it in session.findings.missing] == PARTS


async def test_a_process_that_stops_leaves_an_analysis_to_others():
    hung = asyncio.Event()

    async def hangs(transcript, tell):
        hung.set()
        await asyncio.Event().wait()

    room = Room(analyst=hangs)
    async with room.closer.running():
        await until(room.sessions.analyze(OPENING, said(Chunk(b"one "), End())), Whole)
        async with asyncio.timeout(10):
            await hung.wait()
    other = Closer(room.store, room.listener, analyst, BOUNDS)
    async with other.running():
        session = await room.state(SessionState.ENDED)
    assert session.findings.summary == "1 said"


async def test_findings_are_told_with_their_evidence():
    found = Findings(decisions=(Finding("one.", ()),))

    async def finds(transcript, tell):
        return found

    async with running(analyst=finds) as room:
        told = await all_of(room.sessions.analyze(OPENING, said(Chunk(b"one "), End())))
    assert told[-1].findings == found
