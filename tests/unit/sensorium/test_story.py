import io
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from sensorium.console import Screen
from sensorium.demo import samples, story
from sensorium.demo.wire import connected, timing_job
from sensorium.errors import Trouble

ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def screen():
    made = Screen()
    made.console = Console(file=io.StringIO(), width=200)
    return made


@pytest.fixture
async def mesh():
    """A mesh of HTTP alone, whose answers the test writes."""
    answers: dict[str, web.Response] = {}

    async def answer(request: web.Request) -> web.Response:
        return answers[request.path]

    app = web.Application(client_max_size=1 << 25)
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        server.answers = answers
        yield server


def watched(**job: object) -> web.Response:
    news = {"event": {"kind": "JOB_EVENT_KIND_COMPLETED", "step": "", "text": ""}, "job": job}
    return web.Response(text=f"data: {json.dumps(news)}\n\n", content_type="text/event-stream")


def found(*stretches: tuple[int, int]) -> dict[str, object]:
    tasks = [{"start_index": start, "end_index": end} for start, end in stretches]
    return {"state": "JOB_STATE_COMPLETED", "output": {"task_timing_v1": {"tasks": tasks}}}


async def told(mesh, screen, monkeypatch, job) -> str:
    async def same(*_: object) -> str:
        return ID

    monkeypatch.setattr(story.Wire, "create_over_grpc", same)
    mesh.answers["/mesh/v1/jobs"] = web.json_response({"job": {"id": ID}})
    mesh.answers[f"/mesh/v1/jobs/{ID}:watch"] = watched(**job)
    async with connected(str(mesh.make_url("/")).rstrip("/")) as wire:
        await story._task(wire, samples.task(), screen)
    return screen.console.file.getvalue()


@pytest.mark.parametrize("off", [-1, 0, 1])
async def test_a_task_found_within_a_frame_is_shown_beside_the_truth(
    mesh, screen, monkeypatch, off
):
    task = samples.task()
    job = found((task.start_index + off, task.end_index))
    shown = await told(mesh, screen, monkeypatch, job)
    assert f"{off:+d}" in shown


@pytest.mark.parametrize(("start", "end"), [(-2, 0), (0, 2)])
async def test_a_task_found_elsewhere_fails_the_demo(mesh, screen, monkeypatch, start, end):
    task = samples.task()
    job = found((task.start_index + start, task.end_index + end))
    with pytest.raises(Trouble, match="2 frames off"):
        await told(mesh, screen, monkeypatch, job)


async def test_a_task_not_found_or_found_twice_fails_the_demo(mesh, screen, monkeypatch):
    for stretches in ((), ((3, 4), (9, 25))):
        with pytest.raises(Trouble, match=f"was found {len(stretches)} times"):
            await told(mesh, screen, monkeypatch, found(*stretches))


async def test_a_job_that_failed_is_told_with_its_reason(mesh, screen, monkeypatch):
    job = {"state": "JOB_STATE_FAILED", "error": {"message": "the engine is gone"}}
    with pytest.raises(Trouble, match="was not completed: the engine is gone"):
        await told(mesh, screen, monkeypatch, job)


async def test_a_refusal_is_told_in_the_words_of_the_mesh(mesh):
    mesh.answers["/mesh/v1/jobs"] = web.json_response({"message": "no room"}, status=429)
    async with connected(str(mesh.make_url("/")).rstrip("/")) as wire:
        with pytest.raises(Trouble, match="answered 429: no room"):
            await wire.post("/mesh/v1/jobs", json={})


async def test_an_answer_that_is_not_json_is_told(mesh):
    mesh.answers["/mesh/v1/jobs"] = web.Response(text="<html>", status=502)
    async with connected(str(mesh.make_url("/")).rstrip("/")) as wire:
        with pytest.raises(Trouble, match="answered 502: nothing readable"):
            await wire.post("/mesh/v1/jobs", json={})


async def test_a_mesh_that_is_not_there_is_told(mesh):
    url = str(mesh.make_url("/")).rstrip("/")
    await mesh.close()
    with pytest.raises(Trouble, match=f"the mesh at {url} does not answer"):
        async with connected(url) as wire:
            await wire.post("/mesh/v1/jobs", json={})


def test_the_job_carries_every_picture_with_its_time():
    task = samples.task()
    images = timing_job(task, "once")["input"]["task_timing_v1"]["images"]
    assert [image["id"] for image in images] == [frame.id for frame in task.frames]
    assert images[1]["capture_time"] == "2026-03-02T08:00:02+00:00"
