import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.jobs import wire
from services.jobs.content import CaptionOutput, Observation
from services.jobs.domain import JobError, JobState
from services.jobs.webhooks.webhook import Webhook, WebhookFormat

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OUTPUT = CaptionOutput((Observation("front", NOON, 'a "box"\n'),))
F = WebhookFormat


@pytest.fixture
async def job(job):
    return replace(
        job,
        state=JobState.COMPLETED,
        start_time=NOON - timedelta(seconds=3),
        end_time=NOON,
        output=OUTPUT,
        webhook=Webhook("https://client.example/?token=hush"),
    )


def told(job, format=F.MESH):
    return json.loads(wire.message_of(job, format))


async def test_the_meshs_own_message_says_what_ended_and_when(job):
    message = told(job)
    assert set(message) == {"type", "timestamp", "data"}
    assert (message["type"], message["timestamp"]) == ("job.completed", "2026-05-01T12:00:00Z")
    data = message["data"]
    assert (data["id"], data["state"]) == (str(job.id), "JOB_STATE_COMPLETED")
    assert data["output"]["caption_v1"]["captions"][0]["text"] == 'a "box"\n'
    # As over REST, what is zero is there.
    assert data["priority"] == 0


@pytest.mark.parametrize("format", F)
async def test_no_message_holds_the_input_or_the_address(job, format):
    body = wire.message_of(job, format)
    assert b"hush" not in body
    assert b"images" not in body


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
async def test_the_type_names_the_end(job, state):
    ended = replace(job, state=state, output=None, error=JobError("NO", "it cannot be", False))
    assert told(ended)["type"] == f"job.{state}"
    assert told(ended, F.VLM_NODE)["data"] is None
    assert told(ended, F.CAPTION_QUEUE)["status"] == "failed"


async def test_text_is_sent_as_utf8(job):
    ended = replace(job, output=CaptionOutput((Observation("front", NOON, "é"),)))
    assert "é".encode() in wire.message_of(ended, F.MESH)


@pytest.mark.parametrize("format", F)
def test_a_test_message_has_the_shape_of_a_real_one(format):
    message = json.loads(wire.sample_message(format, NOON))
    assert "This is a test." in json.dumps(message)
    if format is F.MESH:
        assert message["type"] == "webhook.test"
