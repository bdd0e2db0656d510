import base64
from datetime import UTC, datetime, timedelta

import pytest
from mesh.jobs.v1 import job_output_pb2, job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb

from gateway.bridge.dialects import caption_queue
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body, tell

JOB = "6f1f8a52-5b0e-4a35-9e0f-0d9a5d2c7b11"
DIALECT = caption_queue.dialect(queue_workers=2)
TEXT = base64.b64encode(b"pixels").decode()
SENT = {"image_data": TEXT}
NOON = datetime(2025, 10, 11, 12, tzinfo=UTC)
LOCAL_NOON = NOON.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
LOCAL_END = (NOON + timedelta(seconds=5)).astimezone().strftime("%Y-%m-%dT%H:%M:%S")


def job(state=job_pb2.JOB_STATE_PENDING, **fields):
    made = job_pb2.Job(**{"id": JOB, "type": "caption_v1", "state": state} | fields)
    made.create_time.FromDatetime(NOON)
    made.start_time.FromDatetime(NOON + timedelta(seconds=2))
    made.end_time.FromDatetime(NOON + timedelta(seconds=5))
    return made


def captions(*texts):
    seen = [job_output_pb2.Observation(text=text) for text in texts]
    return job_output_pb2.JobOutput(caption_v1=job_output_pb2.CaptionOutput(captions=seen))


def generate(sent, *answers):
    return conversations.call(DIALECT, "POST", "/caption/generate", body(sent), *answers)


def read(*answers, job_id=JOB):
    asked = Request(path={"job_id": job_id})
    return conversations.call(DIALECT, "GET", "/caption/job/{job_id}", asked, *answers)


@pytest.mark.parametrize("text", [TEXT, f"data:image/jpeg;base64,{TEXT}"])
def test_a_picture_is_taken(text):
    (ask,), status, told = generate({"image_data": text}, pb.CreateJobResponse(job=job()))
    assert (ask.service, ask.method) == ("JobService", "CreateJob")
    given = ask.request.input.caption_v1
    assert ask.request.type == "caption_v1"
    assert [image.data for image in given.images] == [b"pixels"]
    assert given.prompt == "Describe what you see in this image"
    assert not ask.request.HasField("webhook")
    assert (status, told) == (
        200,
        {
            "job_id": JOB,
            "status": "queued",
            "message": "Job is waiting in queue",
            "created_at": LOCAL_NOON,
        },
    )


def test_the_prompt_is_honoured():
    (ask,), _, _ = generate(SENT | {"prompt": "How many?"}, pb.CreateJobResponse(job=job()))
    assert ask.request.input.caption_v1.prompt == "How many?"


@pytest.mark.parametrize(("url", "told"), [("https://a.example/done", True), ("", False)])
def test_a_webhook_speaks_as_the_queues_does(url, told):
    (ask,), _, _ = generate(SENT | {"webhook_url": url}, pb.CreateJobResponse(job=job()))
    assert ask.request.HasField("webhook") is told
    if told:
        assert ask.request.webhook.url == url
        assert ask.request.webhook.format == job_pb2.WEBHOOK_FORMAT_CAPTION_QUEUE


@pytest.mark.parametrize(
    ("sent", "loc"),
    [
        ({}, ["body", "image_data"]),
        ({"image_data": 7}, ["body", "image_data"]),
        (SENT | {"webhook_url": 7}, ["body", "webhook_url"]),
        (SENT | {"prompt": ""}, ["body", "prompt"]),
        (b"{", ["body"]),
    ],
)
def test_what_lacks_or_has_a_wrong_type_is_told_in_a_list(sent, loc):
    asked, status, told = generate(sent)
    assert (asked, status) == ([], 422)
    assert [it["loc"] for it in told["detail"]] == [loc]


@pytest.mark.parametrize("text", ["", "%%%", "data:image/png;base64,"])
def test_text_that_is_no_base64_is_refused_before_a_room_is_asked(text):
    asked, status, told = generate({"image_data": text})
    assert (asked, status) == ([], 400)
    assert told["detail"].startswith("image_data: ")


@pytest.mark.parametrize(
    ("field", "theirs"),
    [
        ("input.caption_v1.images[0].data", "image_data"),
        ("input.caption_v1.images[0]", "image_data"),
        ("input.caption_v1.prompt", "prompt"),
        ("webhook.url", "webhook_url"),
    ],
)
def test_what_the_room_refuses_is_told_of_the_field_that_was_sent(field, theirs):
    _, status, told = generate(SENT, errors.InvalidInput.field(field, "is no good"))
    assert (status, told) == (400, {"detail": f"{theirs}: is no good"})


def test_a_full_queue_says_so_and_when_to_come_back():
    full = errors.Exhausted("50 jobs wait", retry_after=timedelta(seconds=7))
    (route,) = (it for it in DIALECT.routes if it.path == "/caption/generate")
    _, response = tell(route.answer(body(SENT)), full)
    assert (response.status, response.headers) == (503, {"retry-after": "7"})
    assert response.body == b'{"detail": "Queue is full, please try again later"}'


ENDED = {"completed_at": None, "result": None, "error_message": None}


@pytest.mark.parametrize(
    ("state", "fields", "told"),
    [
        ("PENDING", {}, {"status": "queued"}),
        ("PENDING", {"error": {"message": "passing"}}, {"status": "queued"}),
        ("RUNNING", {}, {"status": "processing"}),
        ("CANCELLING", {}, {"status": "processing"}),
        (
            "COMPLETED",
            {"output": captions("An aisle.")},
            {
                "status": "completed",
                "completed_at": LOCAL_END,
                "result": {"caption": "An aisle.", "processing_time": 3.0},
            },
        ),
        (
            "FAILED",
            {"error": {"message": "no engine"}},
            {"status": "failed", "error_message": "no engine"},
        ),
        ("CANCELLED", {}, {"status": "failed", "error_message": "the job was cancelled"}),
    ],
)
def test_every_state_of_a_job_is_told(state, fields, told):
    made = job(job_pb2.JobState.Value(f"JOB_STATE_{state}"), **fields)
    (ask,), status, answer = read(pb.GetJobResponse(job=made))
    assert (ask.method, ask.request.id) == ("GetJob", JOB)
    assert status == 200
    assert answer["message"]
    del answer["message"]
    assert answer == {"job_id": JOB, "created_at": LOCAL_NOON, **ENDED, **told}


@pytest.mark.parametrize(
    ("job_id", "answers"),
    [
        ("nope", []),
        (JOB, [errors.NotFound("no job")]),
        (JOB, [pb.GetJobResponse(job=job(type="transcription_v1"))]),
    ],
)
def test_what_is_no_job_of_the_queue_is_not_found(job_id, answers):
    assert read(*answers, job_id=job_id)[1:] == (404, {"detail": "Job not found"})


def test_the_jobs_of_the_queue_are_counted():
    counts = [
        pb.JobCount(type=kind, state=state, jobs=jobs)
        for kind, state, jobs in (
            ("caption_v1", job_pb2.JOB_STATE_PENDING, 3),
            ("caption_v1", job_pb2.JOB_STATE_RUNNING, 2),
            ("caption_v1", job_pb2.JOB_STATE_CANCELLING, 1),
            ("caption_v1", job_pb2.JOB_STATE_COMPLETED, 10),
            ("caption_v1", job_pb2.JOB_STATE_FAILED, 4),
            ("caption_v1", job_pb2.JOB_STATE_CANCELLED, 1),
            ("transcription_v1", job_pb2.JOB_STATE_PENDING, 99),
        )
    ]
    answer = pb.GetQueueStatsResponse(pending_jobs=102, running_jobs=3, counts=counts)
    (ask,), status, told = conversations.call(DIALECT, "GET", "/caption/stats", Request(), answer)
    assert ask.method == "GetQueueStats"
    assert (status, told) == (
        200,
        {
            "total_jobs": 21,
            "active_jobs": 3,
            "queue_size": 3,
            "status_counts": {"queued": 3, "processing": 3, "completed": 10, "failed": 5},
        },
    )
