"""What is said in sessions, on the real mesh: heard, analysed and reported on. The small language
model of the tests judges poorly; here it matters that every claim rests on something that exists.
"""

import asyncio
import base64
from contextlib import aclosing
from datetime import timedelta

import pytest
from mesh.jobs.v1 import session_service_pb2 as pb
from mesh.jobs.v1.session_service_pb2_grpc import SessionServiceStub

from services.chassis import client
from tests.doubles.recordings import DIALOGUE, decoded, encoded
from tests.doubles.speech_of_tones import pcm16
from tests.e2e import clients
from tests.e2e.test_job_types import SAFE, SPILT, done, drawn

BEGIN_SECONDS, END_SECONDS = 16.0, 19.9
"""Tom is asked to put the red boxes on the top shelf."""


def part_of_the_dialogue():
    samples = decoded(DIALOGUE.read_bytes())
    return samples[int(BEGIN_SECONDS * 16_000) : int(END_SECONDS * 16_000)]


def claims(found):
    kinds = ("decisions", "open_questions", "action_items", "risks")
    return [it for kind in kinds for it in found.get(kind, [])]


@pytest.mark.timeout(300)
async def test_a_session_is_heard_and_what_it_comes_to_can_be_fetched(mesh):
    pcm = pcm16(part_of_the_dialogue())
    accepted = asyncio.Event()

    async def spoken():
        settings = pb.SessionSettings(session_id="aisle-7", language="en")
        yield pb.AnalyzeAudioRequest(settings=settings)
        await accepted.wait()
        for at in range(0, len(pcm), 16_000):
            yield pb.AnalyzeAudioRequest(chunk=pcm[at : at + 16_000])
        yield pb.AnalyzeAudioRequest(end=pb.EndOfSession())

    told = []
    stub = SessionServiceStub(mesh.grpc)
    async with asyncio.timeout(240), aclosing(client.stream(stub.AnalyzeAudio, spoken())) as heard:
        async for each in heard:
            accepted.set()
            told.append(each)
    assert told[0].ready.session_id == "aisle-7"
    assert told[0].ready.kept_for.ToTimedelta() > timedelta(seconds=30)
    analysis = told[-1].analysis
    assert "red boxes on the top shelf" in analysis.transcript.text
    assert analysis.summary
    assert not analysis.missing
    async with mesh.http.get("/mesh/v1/sessions/aisle-7") as answer:
        session = (await answer.json())["session"]
    assert session["state"] == "SESSION_STATE_ENDED"
    kept = session["analysis"]
    said = {(it["start_offset"], it["text"]) for it in kept["transcript"]["segments"]}
    for claim in claims(kept):
        assert all((it["start_offset"], it["text"]) in said for it in claim["evidence"])
    async with mesh.http.get("/mesh/v1/sessions/never") as answer:
        assert answer.status == 404


@pytest.mark.timeout(300)
async def test_a_session_is_reported_on_by_what_was_said_and_seen(mesh):
    recording = encoded(part_of_the_dialogue())
    frames = drawn(SAFE, SPILT)
    given = {
        "recording": {
            "audio": base64.b64encode(recording).decode(),
            "language": "en",
        },
        "images": [
            {
                "id": it.image_id,
                "data": base64.b64encode(clients.jpeg(it)).decode(),
                "capture_time": (clients.BEGIN + timedelta(seconds=5 * n)).isoformat(),
            }
            for n, it in enumerate(frames)
        ],
    }
    report = await done(mesh, "session_report_v1", given)
    assert "red boxes on the top shelf" in report["transcript"]["text"]
    assert [it["text"] for it in report["observations"]] == [SAFE.caption, SPILT.caption]
    starts = [float(it["start_offset"].rstrip("s")) for it in report["timeline"]]
    assert starts == sorted(starts)
    assert len(starts) == 2 + len(report["transcript"]["segments"])
    assert report["summary"]
    places = {it["start_offset"] for it in report["timeline"]}
    for claim in claims(report):
        assert all(it["start_offset"] in places for it in claim["evidence"])
    shown = {it.get("image_id") for risk in report["risks"] for it in risk["evidence"]}
    assert "frame-1" in shown
