import asyncio
import gc
import random
import threading
from contextlib import aclosing

import numpy as np
import pytest

from services.audio.core import Audio
from services.audio.domain import Wish
from services.audio.live import Chunk, End, Opening, Ready, Resumption
from services.audio.session import Session
from services.audio.sessions import Bounds
from services.chassis.errors import (
    Conflict,
    Exhausted,
    Internal,
    InvalidInput,
    NotFound,
    Precondition,
    TimedOut,
    Unavailable,
)
from services.media.speech import Encoding
from tests.doubles.caller import Caller
from tests.doubles.diarizer_fake import FakeDiarizer
from tests.doubles.recordings import encoded, silence
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, said, spoken, talk

OGG = Opening(encoding=Encoding.OGG)
HELLO = pcm16(np.concatenate([spoken([1, 2, 3, 4]), silence(1), spoken([6, 7])]))


async def opened(core, *messages, tenant="t", asked=None):
    """Open a stream, send messages, and give its answers from the second on."""

    async def each():
        for message in messages:
            yield message
        await asyncio.Event().wait()

    stream = core.listen(asked or Opening(), tenant, each())
    return await anext(stream), stream


async def wait_until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of what is awaited
            await asyncio.sleep(0.005)


async def test_speech_becomes_segments_and_a_final_transcript():
    async with Audio(ToneTranscriber()) as core:
        caller = Caller(core, HELLO)
        await caller.speak()
    assert [it.text for it in caller.segments] == [said([1, 2, 3, 4]), said([6, 7])]
    assert caller.final.segments == tuple(caller.segments)
    assert caller.final.language == "en"
    assert caller.final.duration_seconds == pytest.approx(len(HELLO) / 32_000)
    assert caller.acknowledged == len(HELLO)


async def test_a_stream_ends_when_the_room_closes():
    async with asyncio.timeout(10), Audio(ToneTranscriber()) as core:
        _, stream = await opened(core)
        following = asyncio.create_task(anext(stream))
        await core._sessions.close()
        with pytest.raises(Unavailable, match="given up"):
            await following


@pytest.mark.parametrize("seed", range(4))
async def test_a_line_cut_fifty_times_gives_the_same_as_one_that_never_broke(seed):
    chance = random.Random(seed)
    audio, words = talk(chance, utterances=12)
    async with Audio(ToneTranscriber()) as core:
        uncut = Caller(core, pcm16(audio))
        await uncut.speak()
        caller = Caller(core, pcm16(audio), chunk=chance.randint(500, 9_000))
        for _ in range(50):
            if caller.final is None:
                await caller.speak(cut_after=chance.randint(1, 12))
        while caller.final is None:
            await caller.speak()
        assert len(core._sessions) == 2
    assert caller.final.text == uncut.final.text == said(words)
    assert [it.text for it in caller.segments] == [it.text for it in caller.final.segments]
    assert caller.final.duration_seconds == uncut.final.duration_seconds


async def test_a_container_goes_on_after_a_cut_too():
    speech = np.repeat(spoken([1, 2, 3, 4, 6, 7] * 4), 3)
    data = encoded(speech, "ogg", "flac", rate=48_000)
    chance = random.Random(1)
    async with Audio(ToneTranscriber()) as core:
        caller, ogg = Caller(core, data, chunk=2_000), Opening(encoding=Encoding.OGG)
        for _ in range(10):
            if caller.final is None:
                await caller.speak(cut_after=chance.randint(1, 5), opening=ogg)
        while caller.final is None:
            await caller.speak()
    assert caller.final.text == said([1, 2, 3, 4, 6, 7] * 4)


async def test_chunks_that_are_held_already_are_passed_over():
    async with Audio(ToneTranscriber()) as core:
        doubled = [Chunk(HELLO[:6_000], 0), Chunk(HELLO[:9_000], 0), Chunk(HELLO[5_000:], 5_000)]
        _, stream = await opened(core, *doubled, End())
        async with aclosing(stream):
            *_, final = [it async for it in stream]
    assert final.transcript.text == said([1, 2, 3, 4, 6, 7])


async def test_missing_audio_is_told_and_the_session_kept():
    async with Audio(ToneTranscriber()) as core:
        ready, stream = await opened(core, Chunk(HELLO[:6_000]), Chunk(HELLO[8_000:], 8_000))
        with pytest.raises(Precondition, match="6000 bytes are held") as refused:
            [it async for it in stream]
        assert "acknowledged" in refused.value.remedy
        again = Resumption(ready.session_id, ready.token)
        (second, stream) = await opened(core, asked=again)
        assert second.offset == 6_000
        await stream.aclose()


async def test_a_final_that_was_lost_is_told_again():
    async with Audio(ToneTranscriber()) as core:
        caller = Caller(core, HELLO)
        await caller.speak()
        first, caller.final, caller.segments = caller.final, None, caller.segments[:1]
        await caller.speak()
        assert caller.final == first
        assert caller.segments == list(first.segments)


@pytest.mark.parametrize(
    ("session_id", "token", "tenant"),
    [("", "", "other"), ("no-such-session", "", "t"), ("", "wrong", "t"), ("", "é", "t")],
    ids=["another-tenant", "unknown", "wrong-token", "no-ascii"],
)
async def test_nobody_else_takes_up_a_session(session_id, token, tenant):
    async with Audio(ToneTranscriber()) as core:
        ready, stream = await opened(core)
        await stream.aclose()
        asked = Resumption(session_id or ready.session_id, token or ready.token)
        with pytest.raises(NotFound, match="no such session"):
            await opened(core, asked=asked, tenant=tenant)


async def test_who_has_thrown_away_more_than_is_held_is_told():
    async with Audio(ToneTranscriber()) as core:
        ready, stream = await opened(core)
        await stream.aclose()
        with pytest.raises(Precondition, match="acknowledged"):
            await opened(core, asked=Resumption(ready.session_id, ready.token, 10))


async def test_the_newer_of_two_streams_has_the_session():
    async with Audio(ToneTranscriber()) as core:
        ready, old = await opened(core)
        reading = asyncio.create_task(anext(old))
        asked = Resumption(ready.session_id, ready.token)
        _, new = await opened(core, Chunk(HELLO), End(), asked=asked)
        with pytest.raises(Conflict, match="another stream"):
            await reading
        *_, final = [it async for it in new]
        assert final.transcript.text == said([1, 2, 3, 4, 6, 7])


async def test_a_session_without_a_stream_is_forgotten_after_its_time():
    async with Audio(ToneTranscriber(), bounds=Bounds(kept_seconds=0.05)) as core:
        ready, stream = await opened(core, Chunk(HELLO))
        assert ready.kept_for.total_seconds() == 0.05
        await stream.aclose()
        await wait_until(lambda: not len(core._sessions))
        with pytest.raises(NotFound):
            await opened(core, asked=Resumption(ready.session_id, ready.token))


async def test_two_hundred_sessions_opened_and_abandoned_leave_the_last_few_alone():
    bounds = Bounds(sessions=2, kept=3)
    async with Audio(ToneTranscriber(), bounds=bounds) as core:
        for _ in range(200):
            _, stream = await opened(core, Chunk(HELLO[:3_200]))
            await stream.aclose()
        assert len(core._sessions) == 3
        await wait_until(lambda: len(core._sessions._lives) <= 3)
        gc.collect()
        assert sum(isinstance(it, Session) for it in gc.get_objects()) <= 4


async def left(core, *messages, tenant="t"):
    """Open a session and lose its line."""
    ready, stream = await opened(core, *messages, tenant=tenant)
    if End() in messages:
        async for _ in stream:
            pass
    await stream.aclose()
    return Resumption(ready.session_id, ready.token)


async def test_who_leaves_many_sessions_pushes_out_nobody_elses():
    async with Audio(ToneTranscriber(), bounds=Bounds(kept=3)) as core:
        kept = await left(core, Chunk(HELLO[:3_200]), tenant="quiet")
        busy = [await left(core, tenant="busy") for _ in range(20)]
        for session, tenant in ((kept, "quiet"), *((it, "busy") for it in busy[-2:])):
            await (await opened(core, asked=session, tenant=tenant))[1].aclose()
        with pytest.raises(NotFound):
            await opened(core, asked=busy[-3], tenant="busy")


async def test_a_session_that_may_go_on_is_kept_rather_than_those_that_are_over():
    async with Audio(ToneTranscriber(), bounds=Bounds(kept=3)) as core:
        kept = await left(core, Chunk(HELLO[:3_200]))
        over = [await left(core, Chunk(HELLO), End()) for _ in range(4)]
        for session in (kept, *over[-2:]):
            await (await opened(core, asked=session))[1].aclose()
        with pytest.raises(NotFound):
            await opened(core, asked=over[0])


async def test_a_session_too_many_is_refused_at_its_start_and_told_when_to_come_back():
    async with Audio(ToneTranscriber(), bounds=Bounds(sessions=1)) as core:
        _, stream = await opened(core)
        with pytest.raises(Exhausted, match="too many people") as refused:
            await opened(core)
        assert refused.value.retry_after
        await stream.aclose()
        await (await opened(core))[1].aclose()


async def test_no_session_is_opened_that_would_make_all_of_them_late():
    async with Audio(ToneTranscriber(), bounds=Bounds(lag_seconds=5)) as core:
        _, stream = await opened(core)
        core._turns.note(3.0)
        with pytest.raises(Exhausted):
            await opened(core)
        await stream.aclose()
        await (await opened(core))[1].aclose()


async def test_a_machine_that_stood_still_lets_people_in_again():
    async with Audio(ToneTranscriber(), bounds=Bounds(lag_seconds=5)) as core:
        core._turns.note(60.0)
        caller = Caller(core, HELLO)
        await caller.speak()
        assert caller.final.text == said([1, 2, 3, 4, 6, 7])


async def test_who_says_nothing_is_told_so_and_may_come_back():
    async with Audio(ToneTranscriber(), bounds=Bounds(idle_seconds=0.05)) as core:
        ready, stream = await opened(core, Chunk(HELLO[:640]))
        with pytest.raises(TimedOut, match="nothing was sent") as refused:
            [it async for it in stream]
        assert "taken up again" in refused.value.remedy
        await (await opened(core, asked=Resumption(ready.session_id, ready.token)))[1].aclose()


async def test_a_stream_that_just_stops_does_not_end_the_session():
    async def broken():
        yield Chunk(HELLO[:3_200])

    async with Audio(ToneTranscriber()) as core:
        stream = core.listen(Opening(), "t", broken())
        ready = await anext(stream)
        with pytest.raises(InvalidInput, match="without `end`"):
            [it async for it in stream]
        again, stream = await opened(core, asked=Resumption(ready.session_id, ready.token))
        assert again.offset == 3_200
        await stream.aclose()


async def test_a_stream_that_fails_for_no_reason_that_is_known_is_told_and_kept(caplog):
    async def failing():
        yield Chunk(HELLO[:3_200])
        raise RuntimeError("a bug")

    async with asyncio.timeout(10), Audio(ToneTranscriber()) as core:
        stream = core.listen(Opening(), "t", failing())
        ready = await anext(stream)
        with pytest.raises(Internal, match="inside the audio room"):
            [it async for it in stream]
        await (await opened(core, asked=Resumption(ready.session_id, ready.token)))[1].aclose()
    assert "a bug" in caplog.text


async def test_audio_after_the_end_is_refused():
    async with Audio(ToneTranscriber()) as core:
        caller = Caller(core, HELLO)
        await caller.speak()
        asked = Resumption(caller.ready.session_id, caller.ready.token, len(HELLO), 2)
        _, stream = await opened(core, Chunk(b"more"), asked=asked)
        answers = [it async for it in stream]
        assert answers[-1].transcript == caller.final


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (random.Random(2).randbytes(80_000), Encoding.OGG, "AUDIO_UNREADABLE"),
        (random.Random(2).randbytes(80_000), Encoding.FLOAT32, "AUDIO_UNREADABLE"),
        (b"", Encoding.WEBM, "AUDIO_UNREADABLE"),
    ],
)
async def test_garbage_is_told_to_its_sender_and_harms_nobody_else(data, encoding, code):
    async with Audio(ToneTranscriber()) as core:
        neighbour = Caller(core, HELLO)
        beside = asyncio.create_task(neighbour.speak())
        with pytest.raises(InvalidInput) as refused:
            await Caller(core, data).speak(opening=Opening(encoding=encoding))
        assert refused.value.code == code
        assert refused.value.violations[0].field == "chunk"
        await beside
        assert neighbour.final.text == said([1, 2, 3, 4, 6, 7])


async def test_who_missed_why_a_session_failed_is_told_by_taking_it_up_again():
    async with Audio(ToneTranscriber()) as core:
        ready, stream = await opened(core, Chunk(b"no ogg" * 1_000), End(), asked=OGG)
        with pytest.raises(InvalidInput):
            [it async for it in stream]
        again = Resumption(ready.session_id, ready.token)
        for _ in range(2):
            _, stream = await opened(core, asked=again)
            with pytest.raises(InvalidInput, match="chunk"):
                [it async for it in stream]


async def test_nothing_said_is_an_empty_transcript():
    async with Audio(ToneTranscriber()) as core:
        caller = Caller(core, b"")
        await caller.speak()
        assert (caller.final.text, caller.final.duration_seconds) == ("", 0)


async def test_a_language_unknown_to_the_model_is_refused_before_the_session_opens():
    async with Audio(ToneTranscriber()) as core:
        with pytest.raises(InvalidInput, match="language"):
            await opened(core, asked=Opening(Wish("tlh")))
        assert len(core._sessions) == 0


class Held(ToneTranscriber):
    """Waits in each pass until it may go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def transcribe(self, samples, asked):
        self.entered.set()
        assert self.go.wait(20)
        return super().transcribe(samples, asked)


async def test_while_the_model_is_busy_only_so_much_audio_is_taken_and_none_is_lost():
    ears = Held()
    words = [1, 2, 3, 4, 6, 7, 8, 9] * 60
    async with Audio(ears) as core:
        caller = Caller(core, pcm16(spoken(words)), chunk=32_000)
        speaking = asyncio.create_task(caller.speak())
        assert await asyncio.to_thread(ears.entered.wait, 20)
        last = -1
        while last != caller.sent:
            last = caller.sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert caller.sent < 45 * 32_000 < len(caller.data)
        ears.go.set()
        await speaking
    assert caller.final.text == said(words)


async def test_sessions_take_turns_at_the_model():
    ears = ToneTranscriber()
    async with Audio(ears) as core:
        callers = [Caller(core, pcm16(spoken([word] * 60))) for word in (1, 2, 3)]
        await asyncio.gather(*(it.speak() for it in callers))
    for word, caller in zip((1, 2, 3), callers, strict=True):
        assert caller.final.text == said([word] * 60)


class Batches(Held):
    """Notes how many stretches it hears at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def hear(self, stretches):
        self.batches.append(len(stretches))
        return super().hear(stretches)


async def test_sessions_that_wait_while_the_model_works_are_heard_together_next():
    ears = Batches()
    async with Audio(ears) as core:
        callers = [Caller(core, pcm16(spoken([word] * 6))) for word in (1, 2, 3)]
        speaking = [asyncio.create_task(it.speak()) for it in callers]
        await wait_until(lambda: core._turns.waiting == 2)
        ears.go.set()
        await asyncio.gather(*speaking)
    assert ears.batches[:2] == [1, 2]
    for word, caller in zip((1, 2, 3), callers, strict=True):
        assert caller.final.text == said([word] * 6)


async def test_what_arrives_while_a_session_waits_is_heard_in_the_same_pass():
    ears = Batches()
    async with Audio(ears) as core:
        first = Caller(core, pcm16(spoken([1] * 6)))
        speaking = asyncio.create_task(first.speak())
        assert await asyncio.to_thread(ears.entered.wait, 20)
        late = Caller(core, pcm16(spoken([2] * 20)))
        waiting = asyncio.create_task(late.speak())
        await wait_until(lambda: late.ready)
        session = core._sessions._places[late.ready.session_id].session
        await wait_until(lambda: session._hearing.seconds >= 10)
        ears.go.set()
        await asyncio.gather(speaking, waiting)
    assert late.final.text == said([2] * 20)
    lengths = [seconds for seconds, _ in ears.passes]
    assert lengths[1] == pytest.approx(20 * 0.5, abs=0.6)


class Broken(ToneTranscriber):
    def transcribe(self, samples, asked):
        raise Unavailable("the speech model failed")


async def test_a_model_that_fails_ends_the_session_with_its_error():
    async with Audio(Broken()) as core:
        with pytest.raises(Unavailable, match="model failed"):
            await Caller(core, HELLO).speak()
        await wait_until(lambda: not len(core._sessions))


async def test_the_answers_begin_with_ready():
    async with Audio(ToneTranscriber()) as core:
        ready, stream = await opened(core)
        assert isinstance(ready, Ready)
        assert ready.offset == 0
        assert ready.token not in repr(ready)
        await stream.aclose()


async def test_the_final_transcript_of_a_session_names_its_speakers():
    diarizer = FakeDiarizer()
    async with Audio(ToneTranscriber(), diarizer) as core:
        caller = Caller(core, HELLO)
        await caller.speak()
        assert [it.speaker for it in caller.final.segments] == ["S1", "S1"]
        assert caller.final.speakers_told_apart
        assert {it.speaker for it in caller.segments} == {""}
        assert diarizer.open == 0


async def test_a_session_that_fails_leaves_nothing_with_the_diarizer():
    diarizer = FakeDiarizer()
    async with Audio(ToneTranscriber(), diarizer) as core:
        _, stream = await opened(core, Chunk(b"no ogg" * 100), End(), asked=OGG)
        with pytest.raises(InvalidInput):
            async for _ in stream:
                pass
        await wait_until(lambda: diarizer.open == 0)
