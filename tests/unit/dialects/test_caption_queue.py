from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from mesh.jobs.v1 import job_output_pb2 as output_pb
from mesh.jobs.v1 import job_pb2 as pb
from mesh.types.v1 import transcript_pb2

from services.dialects import caption_queue

NOON = datetime(2025, 10, 11, 12, tzinfo=UTC)
NAIVE = "%Y-%m-%dT%H:%M:%S.%f"


def at(seconds):
    written = Timestamp()
    written.FromDatetime(NOON + timedelta(seconds=seconds))
    return written


def job(state, **fields):
    times = {"start_time": at(0), "end_time": at(2.5)}
    return pb.Job(id="the-job", type="caption_v1", state=state, **times, **fields)


def seen(*texts):
    return [output_pb.Observation(text=it) for it in texts]


def test_the_webhook_of_a_completed_job_has_its_caption():
    output = output_pb.JobOutput(caption_v1=output_pb.CaptionOutput(captions=seen("a box")))
    assert caption_queue.webhook_to_json(job(pb.JOB_STATE_COMPLETED, output=output)) == {
        "job_id": "the-job",
        "status": "completed",
        "result": {"caption": "a box", "processing_time": 2.5},
        "error_message": None,
        "timestamp": (NOON.astimezone() + timedelta(seconds=2.5)).strftime(NAIVE),
    }


def test_the_webhook_of_a_failed_job_says_why():
    failed = job(pb.JOB_STATE_FAILED, error=pb.JobError(reason="NO", message="not a picture"))
    told = caption_queue.webhook_to_json(failed)
    assert (told["status"], told["result"]) == ("failed", None)
    assert told["error_message"] == "not a picture"


def test_a_cancelled_job_is_told_as_failed():
    told = caption_queue.webhook_to_json(job(pb.JOB_STATE_CANCELLED))
    assert (told["status"], told["error_message"]) == ("failed", "the job was cancelled")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"caption_v1": output_pb.CaptionOutput(captions=seen("one", "two"))}, "one\ntwo"),
        ({"vlm_only": output_pb.VlmOnlyOutput(responses=seen("yes"))}, "yes"),
        ({"task_timing_v1": output_pb.TaskTimingOutput(summary="done")}, "done"),
        ({"surveillance_v1": output_pb.SurveillanceOutput(summary="a spill")}, "a spill"),
        ({"video_summary_v1": output_pb.VideoSummaryOutput(summary="an aisle")}, "an aisle"),
        ({"session_report_v1": output_pb.SessionReportOutput(summary="a talk")}, "a talk"),
        (
            {
                "transcription_v1": output_pb.TranscriptionOutput(
                    transcript=transcript_pb2.Transcript(text="hello")
                )
            },
            "hello",
        ),
    ],
)
def test_a_job_of_any_type_has_a_caption(output, text):
    done = job(pb.JOB_STATE_COMPLETED, output=output_pb.JobOutput(**output))
    assert caption_queue.result_to_json(done)["caption"] == text


def test_every_state_has_a_status():
    assert set(caption_queue.STATUSES) == set(pb.JobState.values()) - {0}
