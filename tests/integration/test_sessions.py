"""Sessions over real channels and a real database: the audio room's core hears tones, and the
reasoning room judges by words.
"""

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from mesh.jobs.v1 import session_pb2
from mesh.jobs.v1 import session_service_pb2 as pb
from mesh.jobs.v1.session_service_pb2_grpc import (
    SessionServiceStub,
    add_SessionServiceServicer_to_server,
)

from services.chassis import client, errors
from services.chassis.config import RoomConfig
from services.chassis.server import Server
from services.jobs.adapters.postgres import PostgresSessionStore
from services.jobs.peers import ListeningRoom, ReasoningRoom
from services.jobs.session_rpc import SessionServicer
from services.jobs.sessions.analyst import Analyst
from services.jobs.sessions.bounds import Bounds
from services.jobs.sessions.closing import Closer
from services.jobs.sessions.core import Sessions
from tests.doubles import reasoning_room
from tests.doubles.engine_llama import free_port
from tests.doubles.mind_of_sessions import SessionMind
from tests.doubles.recordings import silence
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, spoken
from tests.integration import test_audio

BOUNDS = Bounds(analysis=timedelta(seconds=20))
TALK = pcm16(
    np.concatenate(
        [spoken([1, 7, 2, 5]), silence(1.5), spoken([3, 9, 4, 5]), silence(1.5), spoken([8, 8, 5])]
    )
)
ACTS = {"seven": "decision", "nine": "danger", "eight": "promise"}
STATE = session_pb2.SessionState


@asynccontextmanager
async def mesh(database, **options):
    """The stub of a jobs room as `serving` serves it."""
    async with serving(database, **options) as at, client.channel(at) as channel:
        yield SessionServiceStub(channel)


@asynccontextmanager
async def serving(database, *, bounds=BOUNDS, reasoning=None, listener=None):
    """A jobs room with an audio room, and a reasoning room unless its address says."""
    mind = SessionMind(acts=ACTS)
    async with (
        test_audio.room(ToneTranscriber()) as hearing,
        reasoning_room.serving(mind) as address,
        client.channel(reasoning or address) as thinking,
    ):
        store, listener = PostgresSessionStore(database), listener or ListeningRoom(hearing)
        analyst = Analyst(ReasoningRoom(thinking), within=bounds.analysis)
        server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
        server.add(
            add_SessionServiceServicer_to_server,
            SessionServicer(Sessions(store, listener, bounds)),
            pb.DESCRIPTOR.services_by_name["SessionService"],
        )
        async with (
            Closer(store, listener, analyst, bounds).running(),
            server.running() as at,
        ):
            yield at


def said(data, *, begin=0, end=True, chunk=8_000, until=None, **settings):
    accepted = asyncio.Event()

    async def each():
        yield pb.AnalyzeAudioRequest(settings=pb.SessionSettings(**settings))
        await accepted.wait()
        for at in range(begin, until or len(data), chunk):
            yield pb.AnalyzeAudioRequest(chunk=data[at : at + chunk], chunk_offset=at)
        if end:
            yield pb.AnalyzeAudioRequest(end=pb.EndOfSession())
        else:
            await asyncio.Event().wait()

    return each(), accepted


async def answers(stub, sent, *, stop=None):
    """All that a stream is told, or what it is told up to where `stop` is true."""
    requests, accepted = sent
    got = []
    async with asyncio.timeout(40), aclosing(client.stream(stub.AnalyzeAudio, requests)) as told:
        async for each in told:
            accepted.set()
            got.append(each)
            if stop and stop(each):
                break
    return got


async def ended(stub, session_id):
    async with asyncio.timeout(30):
        while True:
            asked = pb.GetSessionRequest(session_id=session_id)
            session = (await client.call(stub.GetSession, asked)).session
            if session.state == STATE.SESSION_STATE_ENDED:
                return session
            await asyncio.sleep(0.05)


async def test_a_session_is_heard_while_it_is_spoken_and_then_analysed(database):
    async with mesh(database) as stub:
        told = await answers(stub, said(TALK, session_id="glasses 1", words=True))
        told = [it for it in told if not it.HasField("progress")]
        kept = (
            await client.call(stub.GetSession, pb.GetSessionRequest(session_id="glasses 1"))
        ).session
    assert told[0].ready.session_id == "glasses 1"
    assert told[0].ready.kept_for.ToTimedelta() == BOUNDS.kept
    transcript, analysis = told[-2].transcript, told[-1].analysis
    segments = [it.segment for it in told if it.HasField("segment")]
    assert segments == list(transcript.segments)
    assert transcript.text == "one seven two five. three nine four five. eight eight five."
    assert transcript.segments[0].words[1].text == "seven"
    assert any(it.HasField("acknowledged") for it in told)
    assert [it.text for it in analysis.decisions] == ["one seven two five."]
    [evidence] = analysis.risks[0].evidence
    assert evidence.text == "three nine four five."
    assert evidence.start_offset == transcript.segments[1].start_offset
    assert analysis.action_items[0].title
    assert analysis.summary
    assert not analysis.missing
    assert kept.state == STATE.SESSION_STATE_ENDED
    assert kept.analysis == analysis
    assert kept.expire_time.ToDatetime() - kept.end_time.ToDatetime() == BOUNDS.retention


async def test_a_session_that_is_cut_again_and_again_says_what_an_uncut_one_does(database):
    async with mesh(database) as stub:
        whole = (await answers(stub, said(TALK)))[-1].analysis
        settings, begin, segments = {"session_id": "cut"}, 0, []
        for cut in range(20_000, len(TALK), 20_000):
            sent = said(TALK, begin=begin, end=False, until=cut, **settings)
            told = await answers(stub, sent, stop=lambda it: it.acknowledged.offset > begin)  # noqa: B023 - used at once
            segments += [it.segment for it in told if it.HasField("segment")]
            begin = max(it.acknowledged.offset for it in told)
            settings = {
                "session_id": "cut",
                "resume_token": told[0].ready.resume_token,
                "acknowledged_offset": begin,
                "received_segments": len(segments),
            }
        last = await answers(stub, said(TALK, begin=begin, **settings))
    segments += [it.segment for it in last if it.HasField("segment")]
    assert last[-1].analysis == whole
    assert segments == list(whole.transcript.segments)


class Moving:
    def __init__(self, room):
        self.room = room

    def listen(self, asked, messages):
        return self.room.listen(asked, messages)


async def test_a_session_goes_on_when_the_audio_room_was_restarted(database):
    pause = len(pcm16(np.concatenate([spoken([1, 7, 2, 5]), silence(1.4)]))) // 8_000 * 8_000
    async with mesh(database) as stub:
        whole = (await answers(stub, said(TALK)))[-1].analysis.transcript
    async with (
        test_audio.room(ToneTranscriber()) as audio,
        test_audio.room(ToneTranscriber()) as restarted,
        mesh(database, listener=(listener := Moving(ListeningRoom(audio)))) as stub,
    ):
        sent = said(TALK, end=False, until=pause, session_id="glasses")
        first = await answers(stub, sent, stop=lambda it: it.acknowledged.offset == pause)
        ready, segments = first[0].ready, [it for it in first if it.HasField("segment")]
        listener.room = ListeningRoom(restarted)
        settings = {
            "session_id": "glasses",
            "resume_token": ready.resume_token,
            "acknowledged_offset": pause,
            "received_segments": len(segments),
        }
        last = await answers(stub, said(TALK, begin=pause, **settings))
    assert last[0].ready.next_offset == pause
    heard = last[-1].analysis
    assert not heard.missing
    assert heard.transcript.text == whole.text
    assert max(it.acknowledged.offset for it in last) == len(TALK)


async def test_an_abandoned_session_ends_is_analysed_and_can_be_fetched(database):
    bounds = replace(BOUNDS, kept=timedelta(seconds=0.3))
    async with mesh(database, bounds=bounds) as stub:
        await answers(
            stub,
            said(TALK, end=False, session_id="left"),
            stop=lambda it: it.acknowledged.offset == len(TALK),
        )
        session = await ended(stub, "left")
    assert session.analysis.transcript.text.startswith("one seven two five.")
    assert session.analysis.decisions


async def test_without_a_language_engine_the_transcript_still_comes(database):
    async with mesh(database, reasoning=f"127.0.0.1:{free_port()}") as stub:
        analysis = (await answers(stub, said(TALK)))[-1].analysis
    assert analysis.transcript.text.startswith("one seven two five.")
    assert not analysis.summary
    assert {"summary", "decisions", "action_items", "risks"} <= {it.part for it in analysis.missing}


async def test_more_sessions_than_there_are_places_are_told_when_to_come_again(database):
    async with mesh(database, bounds=replace(BOUNDS, streams=1)) as stub:
        requests, accepted = said(TALK, end=False)
        async with aclosing(client.stream(stub.AnalyzeAudio, requests)) as first:
            assert (await anext(first)).HasField("ready")
            accepted.set()
            second = stub.AnalyzeAudio(said(TALK)[0])
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await second.read()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = [it.type_url for it in rpc_status.from_call(refused.value).details]
    assert any(it.endswith(error_details_pb2.RetryInfo.DESCRIPTOR.full_name) for it in details)


async def test_settings_in_the_middle_are_refused_in_words(database):
    async def twice():
        yield pb.AnalyzeAudioRequest(settings=pb.SessionSettings())
        await accepted.wait()
        yield pb.AnalyzeAudioRequest(settings=pb.SessionSettings())
        await asyncio.Event().wait()

    accepted = asyncio.Event()
    async with mesh(database) as stub:
        with pytest.raises(errors.InvalidInput, match="may only come first"):
            await answers(stub, (twice(), accepted))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"session_id": "a/b"}, errors.InvalidInput),
        ({"resume_token": "guessed"}, errors.InvalidInput),
        ({"session_id": "none", "resume_token": "guessed"}, errors.NotFound),
        ({"sample_rate_hz": 7}, errors.InvalidInput),
        ({"language": "xx"}, errors.InvalidInput),
    ],
)
async def test_settings_that_cannot_be_are_refused_at_the_start(database, settings, error):
    async with mesh(database) as stub:
        with pytest.raises(error):
            await answers(stub, said(TALK, **settings))


async def test_a_session_that_never_was_is_not_found(database):
    async with mesh(database) as stub:
        with pytest.raises(errors.NotFound):
            await client.call(stub.GetSession, pb.GetSessionRequest(session_id="none"))
