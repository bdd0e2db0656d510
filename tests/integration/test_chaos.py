"""Five hundred jobs while workers are killed and frozen, PostgreSQL crashes, and webhooks fail:
what was accepted is done once, and its history says so.
"""

import asyncio
import base64
import os
import secrets
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import grpc
import pytest
from aiohttp import web
from mesh.jobs.v1 import job_input_pb2, job_pb2, job_service_pb2
from mesh.jobs.v1.job_service_pb2_grpc import JobServiceStub
from mesh.types.v1 import image_pb2

from sensorium.launcher import database as launched
from sensorium.launcher import places, probes
from sensorium.launcher.child import Child
from sensorium.launcher.program import Program
from services.chassis import client, names
from services.chassis.errors import MeshError
from services.jobs.adapters.postgres import Database, PostgresJobStore
from services.jobs.domain import JobEventKind, JobId, JobState
from tests.doubles import history, peers_fake, pictures
from tests.doubles.engine_llama import free_port
from tests.doubles.http import served
from tests.doubles.peers_fake import FakePeers
from tests.doubles.silence import Silent

JOBS = 500
PICTURES = 3
KEY = base64.b64encode(bytes(range(32))).decode()
DRAWN = [pictures.scene_png(seed=it) for it in range(PICTURES)]
"""Of the same bytes they would be looked at once."""


class CountedPeers(FakePeers):
    """Rooms that let a test wait for how much they were asked."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.asked = asyncio.Condition()

    async def Describe(self, request, context):  # noqa: N802 - the contract's name
        answer = await super().Describe(request, context)
        async with self.asked:
            self.count += 1
            self.asked.notify_all()
        return answer

    async def reach(self, count):
        async with asyncio.timeout(120), self.asked:
            await self.asked.wait_for(lambda: self.count >= count)


@dataclass
class Receiver:
    """Takes webhooks, and refuses the first attempt of two in three."""

    seen: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By job: how often each id came."""

    async def take(self, request):
        told = await request.json()
        ids = self.seen[told["job_id"]]
        ids[request.headers["webhook-id"]] += 1
        if ids.total() == 1:
            match int(told["job_id"][-1], 16) % 3:
                case 0:
                    return web.Response(status=500)
                case 1:
                    request.transport.abort()
        return web.Response(status=204)


@asynccontextmanager
async def receiving(receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with served(app) as address:
        yield f"http://{address}/hook"


@dataclass
class Mesh:
    """The processes that are made to suffer, and what they stand on."""

    postgres: Child
    environment: dict[str, str]
    stack: AsyncExitStack

    async def start(self, module, variable, service="") -> tuple[Child, str]:
        listen = f"127.0.0.1:{free_port()}"
        program = Program(
            name=module,
            command=(sys.executable, "-m", module),
            tier=1,
            probe=probes.grpc_health(listen, service),
            environment={**self.environment, variable: listen},
        )
        child = Child(program, Silent())
        self.stack.push_async_callback(child.stop)
        await child.start()
        return child, listen

    async def worker(self) -> Child:
        child, _ = await self.start("services.jobs.worker", "WORKER_LISTEN")
        return child

    async def crash_database(self):
        """Kill PostgreSQL as a machine does that loses its power, and start it again."""
        os.kill(self.postgres.pid, signal.SIGQUIT)
        await self.postgres.ended()
        await self.postgres.start()


@asynccontextmanager
async def mesh(peers_address) -> AsyncIterator[Mesh]:
    folder = places.data() / "tests" / f"chaos-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        run = stack.enter_context(places.run())
        prepared = launched.prepare(folder, run)
        postgres = Child(prepared.program(0), Silent())
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        environment = {
            "JOBS_DATABASE_URL": prepared.url,
            "JOBS_VISION_TARGET": peers_address,
            "JOBS_REASONING_TARGET": peers_address,
            "JOBS_AUDIO_TARGET": peers_address,
            "JOBS_MEDIA_URL": folder.as_uri() + "-media",
            "JOBS_WEBHOOK_KEYS": KEY,
            "JOBS_WEBHOOK_ALLOW": "127.0.0.1",
            "WORKER_WEBHOOK_BACKOFF_SECONDS": "0.5",
            "WORKER_LEASE_SECONDS": "0.9",
            "WORKER_POLL_SECONDS": "0.2",
            "WORKER_BACKOFF_SECONDS": "0.2",
        }
        it = Mesh(postgres, environment, stack)
        migrating = Program(
            name="migrations",
            command=(sys.executable, "-m", "services.jobs.migrations"),
            tier=1,
            environment=environment,
            once=True,
        )
        await Child(migrating, Silent()).start()
        yield it


def request(number, hook):
    images = [
        image_pb2.Image(id=f"{number}-{place}", data=data) for place, data in enumerate(DRAWN)
    ]
    return job_service_pb2.CreateJobRequest(
        request_id=f"order-{number}",
        type="caption_v1",
        input=job_input_pb2.JobInput(caption_v1=job_input_pb2.CaptionInput(images=images)),
        webhook=job_pb2.Webhook(url=hook, format=job_pb2.WEBHOOK_FORMAT_VLM_NODE),
    )


async def create(stub, number, hook) -> str:
    """Create as a patient client does: again under the same request id until it is told."""
    while True:
        with suppress(MeshError, grpc.aio.AioRpcError):
            response = await client.call(stub.CreateJob, request(number, hook), timeout=5)
            return response.job.id


async def storm(stub, hook) -> dict[int, str]:
    """Create every job three times at once, a hundred requests at a time."""
    free = asyncio.Semaphore(100)

    async def once(number):
        async with free:
            return number, await create(stub, number, hook)

    made = await asyncio.gather(*(once(number % JOBS) for number in range(3 * JOBS)))
    ids = defaultdict(set)
    for number, job_id in made:
        ids[number].add(job_id)
    assert {len(it) for it in ids.values()} == {1}
    return {number: it.pop() for number, it in ids.items()}


async def settled(database_url, jobs):
    """Wait until every job has come to its end and the end was told."""
    async with asyncio.timeout(200), Database(database_url) as database:
        store = PostgresJobStore(database)
        for job_id in map(JobId, map(UUID, jobs)):
            with store.news(job_id) as bell:
                while True:
                    with suppress(MeshError):
                        job = await store.get(names.DEFAULT_TENANT, job_id)
                        events = await store.events(job, after=0)
                        if events[-1].kind is JobEventKind.WEBHOOK_DELIVERED:
                            yield job, events
                            break
                    await bell.wait(1)


@pytest.mark.timeout(300)
async def test_what_was_accepted_is_done_once_whatever_fails():
    peers, receiver = CountedPeers(), Receiver()
    async with (
        peers_fake.serving(peers) as address,
        receiving(receiver) as hook,
        mesh(address) as it,
    ):
        _, listen = await it.start("services.jobs", "JOBS_LISTEN")
        first, second = await asyncio.gather(it.worker(), it.worker())
        async with client.channel(listen) as channel:
            creating = asyncio.create_task(storm(JobServiceStub(channel), hook))
            await peers.reach(100)
            os.kill(first.pid, signal.SIGKILL)
            third = await it.worker()
            await peers.reach(300)
            os.kill(second.pid, signal.SIGSTOP)
            await it.crash_database()
            await peers.reach(600)
            await it.worker()
            os.kill(second.pid, signal.SIGCONT)
            await peers.reach(900)
            await it.crash_database()
            await peers.reach(1200)
            os.kill(third.pid, signal.SIGKILL)
            jobs = await creating
        numbers = {job_id: number for number, job_id in jobs.items()}
        async for job, events in settled(it.environment["JOBS_DATABASE_URL"], numbers):
            assert history.problems(events) == []
            assert job.state is JobState.COMPLETED
            told = [(it.image_id, it.text) for it in job.output.captions]
            number = numbers[str(job.id)]
            assert told == [(f"{number}-{place}", "an aisle") for place in range(PICTURES)]
        assert receiver.seen.keys() == numbers.keys()
        assert {len(ids) for ids in receiver.seen.values()} == {1}
