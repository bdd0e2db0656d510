import json
import random

import pytest
from google.protobuf.duration_pb2 import Duration
from mesh.jobs.v1 import job_input_pb2, job_pb2
from mesh.jobs.v1 import job_service_pb2 as pb
from mesh.jobs.v1 import job_service_pb2_grpc as pb_grpc
from mesh.types.v1 import image_pb2

from models.aisle.world import Worker, task_sequence
from services.chassis import client
from tests.doubles.recordings import DIALOGUE, TRUTH
from tests.doubles.word_error import word_error_rate
from tests.e2e import clients


@pytest.mark.parametrize("seed", [7, 11])
async def test_a_task_is_found_within_one_frame_of_the_truth_and_followed_live(mesh, seed):
    drawn = clients.sequence(seed)
    job = await clients.create(mesh.http, clients.timing_job(drawn))
    assert job["state"] == "JOB_STATE_PENDING"

    news = [it async for it in clients.watch(mesh.http, job["id"])]
    events = [it["event"] for it in news]
    assert [it["sequence"] for it in events] == list(range(1, len(events) + 1))
    assert events[0]["kind"] == "JOB_EVENT_KIND_CREATED"
    assert events[-1]["kind"] == "JOB_EVENT_KIND_COMPLETED"
    described = {it["step"]: it["text"] for it in events if it["step"].startswith("describe/")}
    truth = [frame.scene.caption for frame in drawn.frames]
    seen = [described[f"describe/{index}"] for index in range(len(truth))]
    right = sum(a == b for a, b in zip(seen, truth, strict=True))
    assert right >= 0.9 * len(truth)

    output = news[-1]["job"]["output"]["task_timing_v1"]
    assert [it["image_id"] for it in output["observations"]] == [it.image_id for it in drawn.frames]
    [task] = output["tasks"]
    assert abs(task["start_index"] - drawn.start_index) <= 1
    assert abs(task["end_index"] - drawn.end_index) <= 1
    assert task["start_image_id"] == drawn.frames[task["start_index"]].image_id
    assert set(task["evidence_image_ids"]) <= {frame.image_id for frame in drawn.frames}


async def test_the_same_job_is_created_over_grpc_on_the_same_port_once(mesh):
    drawn = task_sequence(random.Random(3), frame_count=30)
    kept = drawn.frames[drawn.start_index - 2 : drawn.start_index + 2]
    images = [image_pb2.Image(data=clients.jpeg(it), id=it.image_id) for it in kept]
    given = job_input_pb2.TaskTimingInput(task=clients.TASK, images=images)
    request = pb.CreateJobRequest(
        request_id="the-same-again",
        type="task_timing_v1",
        input=job_input_pb2.JobInput(task_timing_v1=given),
    )
    stub = pb_grpc.JobServiceStub(mesh.grpc)
    first = await client.call(stub.CreateJob, request)
    again = await client.call(stub.CreateJob, request)
    assert again.job.id == first.job.id

    states = [
        news.job.state
        async for news in client.stream(stub.WatchJob, pb.WatchJobRequest(id=first.job.id))
    ]
    assert states[-1] == job_pb2.JOB_STATE_COMPLETED
    over_rest = await clients.get(mesh.http, first.job.id)
    [task] = over_rest["output"]["task_timing_v1"]["tasks"]
    assert task["start_image_id"] == drawn.frames[drawn.start_index].image_id


async def test_a_late_watcher_misses_nothing(mesh):
    drawn = clients.sequence()
    job = await clients.create(mesh.http, clients.caption_job(clients.jpeg(drawn.frames[0])))
    first = [it["event"] async for it in clients.watch(mesh.http, job["id"])]
    late = [it["event"] async for it in clients.watch(mesh.http, job["id"])]
    assert late == first


async def test_a_picture_sent_raw_is_described(mesh):
    drawn = clients.sequence()
    stocking = next(it for it in drawn.frames if it.scene.worker is Worker.STOCKING)
    async with mesh.http.post("/mesh/v1/vision:describeUpload", data=clients.jpeg(stocking)) as got:
        body = await got.json()
    assert got.status == 200, body
    assert body["description"] == stocking.scene.caption
    assert (body["width"], body["height"]) == stocking.draw().size
    assert body["usage"]["output_tokens"] > 0


async def test_a_dialogue_is_transcribed_with_times(mesh):
    truth = json.loads(TRUTH.read_text())
    async with mesh.http.post(
        "/mesh/v1/audio:transcribe", params={"language": "en"}, data=DIALOGUE.read_bytes()
    ) as got:
        body = await got.json()
    assert got.status == 200, body
    transcript = body["transcript"]
    spoken = " ".join(turn["text"] for turn in truth["turns"])
    assert word_error_rate(spoken, transcript["text"]) <= 0.15
    duration = Duration()
    duration.FromJsonString(transcript["duration"])
    assert duration.ToTimedelta().total_seconds() == pytest.approx(truth["duration"], abs=0.5)
    starts = [float(it["start_offset"].rstrip("s")) for it in transcript["segments"]]
    assert starts == sorted(starts)


async def test_a_transcription_job_hears_the_same(mesh):
    stub = pb_grpc.JobServiceStub(mesh.grpc)
    given = job_input_pb2.TranscriptionInput(audio=DIALOGUE.read_bytes(), language="en")
    request = pb.CreateJobRequest(
        type="transcription_v1", input=job_input_pb2.JobInput(transcription_v1=given)
    )
    created = await client.call(stub.CreateJob, request)
    job = await clients.finished(mesh.http, created.job.id)
    truth = json.loads(TRUTH.read_text())
    spoken = " ".join(turn["text"] for turn in truth["turns"])
    heard = job["output"]["transcription_v1"]["transcript"]["text"]
    assert word_error_rate(spoken, heard) <= 0.15


async def test_language_answers_in_json_that_fits_the_schema(mesh):
    asked = {
        "messages": [{"role": "ROLE_USER", "parts": [{"text": "Is snow white? Answer in JSON."}]}],
        "json_schema": json.dumps(
            {
                "type": "object",
                "properties": {"white": {"type": "boolean"}},
                "required": ["white"],
                "additionalProperties": False,
            }
        ),
    }
    async with mesh.http.post("/mesh/v1/reasoning:extract", json=asked) as got:
        body = await got.json()
    assert got.status == 200, body
    assert list(body["value"]) == ["white"]
    assert isinstance(body["value"]["white"], bool)


async def test_every_room_tells_its_model(mesh):
    names = {}
    for room in ("vision", "reasoning", "audio"):
        async with mesh.http.get(f"/mesh/v1/{room}/model") as got:
            body = await got.json()
            assert got.status == 200, body
            assert body["model"]["ready"] is True
            names[room] = body["model"]["name"]
    assert len(set(names.values())) == 3
