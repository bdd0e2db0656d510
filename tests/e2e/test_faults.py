import asyncio
import os
import signal

from tests.e2e import clients


async def killed(mesh, *words):
    """Kill one process of the mesh as if it had crashed."""
    [pid] = mesh.processes(*words)
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_a_job_whose_worker_is_killed_is_finished_by_the_next_one(mesh):
    drawn = clients.sequence(5)
    job = await clients.create(mesh.http, clients.timing_job(drawn))
    events = []
    async for news in clients.watch(mesh.http, job["id"]):
        events.append(news["event"])
        if news["event"]["step"] == "describe/6":
            await killed(mesh, "services.jobs.worker")

    kinds = [it["kind"].removeprefix("JOB_EVENT_KIND_") for it in events]
    assert kinds[-1] == "COMPLETED"
    assert kinds.count("CLAIMED") == 2
    assert kinds.count("LEASE_EXPIRED") == 1
    steps = [it["step"] for it in events if it["kind"] == "JOB_EVENT_KIND_STEP_COMPLETED"]
    assert len(steps) == len(set(steps)), "no step was recorded twice"
    [task] = (await clients.get(mesh.http, job["id"]))["output"]["task_timing_v1"]["tasks"]
    assert abs(task["start_index"] - drawn.start_index) <= 1


async def test_while_the_engine_is_down_callers_are_told_and_jobs_wait_for_it(mesh):
    picture = clients.jpeg(clients.sequence().frames[0])
    frozen = mesh.processes("sensorium.engines.llama", "--mmproj")
    await killed(mesh, "sensorium.engines.llama", "--mmproj")
    async with mesh.http.post("/mesh/v1/vision:describeUpload", data=picture) as answer:
        told = await answer.json()
    assert answer.status == 503, told
    assert told["code"] == 14
    retry = [it for it in told["details"] if it["@type"].endswith("google.rpc.RetryInfo")]
    assert len(retry) == 1

    job = await clients.create(mesh.http, clients.caption_job(picture))
    async with asyncio.timeout(60):
        done = await clients.finished(mesh.http, job["id"])
    assert done["state"] == "JOB_STATE_COMPLETED"
    assert mesh.processes("sensorium.engines.llama", "--mmproj") != frozen


async def test_a_room_that_is_killed_is_back_soon(mesh):
    said = len(mesh.output.lines)
    await killed(mesh, "services.reasoning")
    await mesh.output.wait_for("reasoning | ready again", after=said)
    async with mesh.http.get("/mesh/v1/reasoning/model") as answer:
        assert answer.status == 200, await answer.text()
