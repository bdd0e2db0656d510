import io
import json
import struct
import uuid
import zlib

import grpc
import pytest
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import job_service_pb2_grpc as pb_grpc

from services.chassis import limits
from tests.e2e import clients


def huge_png() -> bytes:
    """A few bytes that claim to be 40,000 by 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def whole() -> bytes:
    return clients.jpeg(clients.sequence().frames[0])


def captions(*pictures: bytes, **changes: object) -> str:
    return json.dumps(clients.caption_job(*pictures) | changes)


JOBS = "/mesh/v1/jobs"
IMAGE = "input.caption_v1.images[0].data"
NO_JOB = str(uuid.UUID(int=7))
REFUSED = {
    "broken JSON": (JOBS, '{"type": ', 400, ""),
    "a missing type": (JOBS, captions(b"x", type=""), 400, "type"),
    "a missing input": (JOBS, json.dumps({"type": "caption_v1"}), 400, "input"),
    "an unknown field": (JOBS, captions(b"x", colour="red"), 400, "colour"),
    "a wrong type of value": (JOBS, captions(b"x", input=7), 400, "input"),
    "an unknown job type": (JOBS, captions(whole(), type="dance_v1"), 400, "type"),
    "no pictures": (JOBS, captions(), 400, "input.caption_v1.images"),
    "a picture that is none": (JOBS, captions(b"not a picture"), 400, IMAGE),
    "a truncated picture": (
        "/mesh/v1/vision:describeUpload",
        whole()[:900],
        400,
        "image",
    ),
    "a picture of 40,000 by 40,000 pixels": (JOBS, captions(huge_png()), 400, IMAGE),
    "the same sent raw": ("/mesh/v1/vision:describeUpload", huge_png(), 400, "image"),
    "an empty body": ("/mesh/v1/vision:describeUpload", b"", 400, "image"),
    "no recording": ("/mesh/v1/audio:transcribe", b"not a recording", 400, "audio"),
    "a body over the limit": (
        "/mesh/v1/vision:describeUpload",
        b"x" * (limits.BODY_BYTES + limits.BODY_OVERHEAD_BYTES + 1),
        413,
        "",
    ),
    "retrying what is not there": (f"{JOBS}/{NO_JOB}:retry", "{}", 404, ""),
    "an id that is none": (f"{JOBS}/seven:cancel", "{}", 400, "id"),
    "an unknown address": ("/mesh/v1/dance", "{}", 404, ""),
}


async def jobs_kept(mesh) -> int:
    answer = await mesh.http.get(JOBS, params={"page_size": "1000"})
    return len((await answer.json())["jobs"])


@pytest.mark.parametrize("case", REFUSED)
async def test_over_rest_it_is_refused_in_words_and_nothing_is_kept(mesh, case):
    path, sent, status, field = REFUSED[case]
    before = await jobs_kept(mesh)
    kind = "application/json" if isinstance(sent, str) else "application/octet-stream"
    body = io.BytesIO(sent.encode() if isinstance(sent, str) else sent)
    async with mesh.http.post(path, data=body, headers={"content-type": kind}) as answer:
        told = await answer.json()
    assert answer.status == status, told
    assert isinstance(told["code"], int)
    assert len(told["message"]) > 20, "says what was wrong and what to do"
    assert field in told["message"]
    if field:
        violations = [
            violation["field"]
            for detail in told["details"]
            if detail["@type"].endswith("BadRequest")
            for violation in detail[
                "field_violations" if "field_violations" in detail else "fieldViolations"
            ]
        ]
        assert any(field in violation for violation in violations), told
    assert await jobs_kept(mesh) == before
    async with mesh.http.get("/mesh/v1/vision/model") as alive:
        assert alive.status == 200


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (pb.CreateJobRequest(), grpc.StatusCode.INVALID_ARGUMENT, "type"),
        (
            pb.CreateJobRequest(
                type="dance_v1", input={"caption_v1": {"images": [{"data": whole()}]}}
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            "type",
        ),
        (
            pb.CreateJobRequest(
                type="caption_v1", input={"caption_v1": {"images": [{"data": b"x"}]}}
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            IMAGE,
        ),
    ],
)
async def test_over_grpc_it_is_refused_with_the_same_meaning(mesh, request_, code, field):
    before = await jobs_kept(mesh)
    with pytest.raises(grpc.RpcError) as refused:
        await pb_grpc.JobServiceStub(mesh.grpc).CreateJob(request_)
    assert refused.value.code() is code
    assert field in refused.value.details()
    assert await jobs_kept(mesh) == before


async def test_an_id_that_does_not_exist_is_not_found(mesh):
    async with mesh.http.get(f"{JOBS}/{NO_JOB}") as answer:
        told = await answer.json()
    assert (answer.status, told["code"]) == (404, grpc.StatusCode.NOT_FOUND.value[0])
    assert NO_JOB in told["message"]


async def test_the_unknown_type_error_names_the_types_there_are(mesh):
    async with mesh.http.post(JOBS, data=captions(whole(), type="dance_v1")) as answer:
        told = await answer.json()
    for known in ("caption_v1", "task_timing_v1", "transcription_v1"):
        assert known in told["message"]
