import csv
import io
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from mesh.jobs.v1 import job_output_pb2 as output_pb
from mesh.jobs.v1 import job_pb2 as pb

from services.dialects import vlm_node

NOON = Timestamp()
NOON.FromDatetime(datetime(2025, 10, 11, 12, tzinfo=UTC))
SEEN = [
    output_pb.Observation(image_id="a", capture_time=NOON, text='he said "stop",\nthen left'),
    output_pb.Observation(image_id="b", text="an empty aisle"),
]


def completed(**output):
    return pb.Job(id="the-job", state=pb.JOB_STATE_COMPLETED, output=output_pb.JobOutput(**output))


def rows_of(logs):
    return list(csv.reader(io.StringIO(logs)))


def test_the_webhook_of_a_task_timing_holds_its_log_and_its_finding():
    timing = output_pb.TaskTimingOutput(observations=SEEN, summary="It was seen once.")
    told = vlm_node.webhook_to_json(completed(task_timing_v1=timing))
    assert (told["job_id"], told["error"]) == ("the-job", None)
    assert told["data"]["temporal_output"] == "It was seen once."
    assert rows_of(told["data"]["logs"]) == [
        ["id", "timestamp", "event"],
        ["a", "20251011_120000", 'he said "stop",\nthen left'],
        ["b", "", "an empty aisle"],
    ]


def test_the_webhook_of_vlm_only_also_holds_what_the_client_in_use_reads():
    told = vlm_node.webhook_to_json(completed(vlm_only=output_pb.VlmOnlyOutput(responses=SEEN)))
    data = told["data"]
    assert data["temporal_output"] == "an empty aisle"
    assert rows_of(data["logs"])[-1] == ["b", "", "an empty aisle"]
    assert data["responses"] == [
        {"image_id": "a", "timestamp": "20251011_120000", "response": SEEN[0].text},
        {"image_id": "b", "timestamp": "", "response": "an empty aisle"},
    ]


def test_what_no_picture_was_asked_has_no_last_answer():
    told = vlm_node.webhook_to_json(completed(vlm_only=output_pb.VlmOnlyOutput()))
    assert told["data"] == {"logs": "id,timestamp,event", "temporal_output": "", "responses": []}


def test_rest_and_webhook_say_the_same():
    job = completed(vlm_only=output_pb.VlmOnlyOutput(responses=SEEN))
    assert vlm_node.job_to_json(job)["output"] == vlm_node.webhook_to_json(job)["data"]


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (
            {"state": pb.JOB_STATE_FAILED, "error": pb.JobError(reason="X", message="too bad")},
            {"code": 100, "message": "too bad"},
        ),
        (
            {"state": pb.JOB_STATE_FAILED, "error": pb.JobError(reason="NO_IMAGES", message="no")},
            {"code": 400, "message": "no"},
        ),
        (
            {"state": pb.JOB_STATE_CANCELLED},
            {"code": 100, "message": "the job was cancelled"},
        ),
    ],
)
def test_the_webhook_of_a_job_without_output_says_why(job, error):
    told = vlm_node.webhook_to_json(pb.Job(id="the-job", **job))
    assert told == {"job_id": "the-job", "data": None, "error": error}
