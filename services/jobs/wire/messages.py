"""What webhooks say, in the words that each of their formats stands for."""

import json
from datetime import datetime, timedelta
from typing import Any, assert_never

from google.protobuf.json_format import MessageToDict
from mesh.jobs.v1 import job_output_pb2
from mesh.jobs.v1 import job_pb2 as pb

from services.dialects import caption_queue, vlm_node
from services.jobs.domain import Job
from services.jobs.webhooks.webhook import WebhookFormat
from services.jobs.wire.jobs import job_to_pb
from services.jobs.wire.times import time_to_pb

_NO_JOB = "00000000-0000-0000-0000-000000000000"
_TEST = "webhook.test"
_TEST_TEXT = "This is a test."


def message_of(job: Job, format: WebhookFormat) -> bytes:
    """Write what is told of a job that has ended."""
    told = job_to_pb(job, with_input=False)
    # Whoever reads it knows, and it may be kept where an address with a secret should not.
    told.ClearField("webhook")
    return _written(told, format, f"job.{job.state}")


def sample_message(format: WebhookFormat, now: datetime) -> bytes:
    """Write what a test tells: that a job which there is not has been completed."""
    seen = job_output_pb2.Observation(image_id="0", text=_TEST_TEXT)
    output = job_output_pb2.JobOutput(caption_v1=job_output_pb2.CaptionOutput(captions=[seen]))
    if format is WebhookFormat.VLM_NODE:
        only = job_output_pb2.VlmOnlyOutput(responses=[seen])
        output = job_output_pb2.JobOutput(vlm_only=only)
    begun = time_to_pb(now - timedelta(seconds=1))
    job = pb.Job(
        id=_NO_JOB,
        type=str(output.WhichOneof("output")),
        state=pb.JOB_STATE_COMPLETED,
        create_time=begun,
        update_time=time_to_pb(now),
        start_time=begun,
        end_time=time_to_pb(now),
        attempt=1,
        output=output,
    )
    return _written(job, format, _TEST)


def _written(job: pb.Job, format: WebhookFormat, type: str) -> bytes:
    return json.dumps(_told(job, format, type), ensure_ascii=False).encode()


def _told(job: pb.Job, format: WebhookFormat, type: str) -> dict[str, Any]:
    match format:
        case WebhookFormat.MESH:
            # As the edge writes it.
            data = MessageToDict(
                job, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            return {"type": type, "timestamp": job.end_time.ToJsonString(), "data": data}
        case WebhookFormat.VLM_NODE:
            return vlm_node.webhook_to_json(job)
        case WebhookFormat.CAPTION_QUEUE:
            return caption_queue.webhook_to_json(job)
        case _:
            assert_never(format)
