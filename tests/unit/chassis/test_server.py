import asyncio
import os
import signal
import sys

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.chassis import client, health
from services.chassis.config import ConfigError, RoomConfig
from services.chassis.server import Server
from tests.doubles import echo


async def shout(value):
    return value.upper()


async def statuses(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=service)):
        yield answer.status


async def reaches(channel, service, status):
    async with asyncio.timeout(10):
        async for current in statuses(channel, service):
            if current == status:
                return True
    return False


async def test_the_process_is_healthy_before_its_services_are():
    async def broken():
        raise RuntimeError("the engine is down")

    async with echo.serving(shout, health=broken) as channel:
        assert await reaches(channel, "", health.SERVING)
        assert await reaches(channel, "test.Echo", health.NOT_SERVING)


async def test_a_service_that_recovers_is_healthy_again():
    down = asyncio.Event()

    async def check():
        if not down.is_set():
            raise RuntimeError("the engine is down")

    async with echo.serving(shout, health=check) as channel:
        assert await reaches(channel, "test.Echo", health.NOT_SERVING)
        down.set()
        assert await reaches(channel, "test.Echo", health.SERVING)


async def test_a_call_in_flight_finishes_while_the_server_drains():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(value):
        begun.set()
        await go_on.wait()
        return "done"

    running = echo.server(slow, drain_seconds=10).running()
    async with client.channel(await running.__aenter__()) as channel:
        asking = asyncio.create_task(echo.ask(channel, "unary_unary", "x"))
        await begun.wait()
        overall = statuses(channel, "")
        assert await anext(overall) == health.SERVING
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        assert await anext(overall) == health.NOT_SERVING
        go_on.set()
        assert await asking == ["done"]
        await stopping


async def test_a_call_that_outlasts_the_drain_is_cut():
    begun = asyncio.Event()

    async def hang(value):
        begun.set()
        await asyncio.Event().wait()

    running = echo.server(hang, drain_seconds=0).running()
    async with client.channel(await running.__aenter__()) as channel:
        asking = asyncio.create_task(echo.ask(channel, "unary_unary", "x"))
        await begun.wait()
        await running.__aexit__(None, None, None)
        with pytest.raises(grpc.RpcError):
            await asking


async def test_what_a_call_that_is_cut_puts_in_order_is_done_when_the_server_has_stopped():
    begun, done = asyncio.Event(), []

    async def hang(value):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(100):
                await asyncio.sleep(0)
            done.append(value)

    running = echo.server(hang, drain_seconds=0).running()
    async with client.channel(await running.__aenter__()) as channel:
        asking = asyncio.create_task(echo.ask(channel, "unary_unary", "x"))
        await begun.wait()
        await running.__aexit__(None, None, None)
        assert done == ["x"]
        with pytest.raises(grpc.RpcError):
            await asking


async def test_reflection_names_the_services():
    async with echo.serving(shout) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([asked])):
            listed = [it.name for it in answer.list_services_response.service]
    assert {"test.Echo", "grpc.health.v1.Health"} <= set(listed)


async def test_a_message_over_the_limit_is_refused():
    async with echo.serving(shout) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            await echo.ask(channel, "unary_unary", "x" * (34 * 1024 * 1024))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_taken_port_is_told_in_words():
    async with Server(RoomConfig(listen="127.0.0.1:0")).running() as address:
        with pytest.raises(ConfigError, match=f"cannot listen on {address}"):
            async with Server(RoomConfig(listen=address)).running():
                pass


PROGRAM = """
from services.chassis import process
from services.chassis.config import RoomConfig
from services.chassis.server import Server

async def main():
    await Server(RoomConfig(listen={listen!r})).run()

process.run("example", main)
"""


async def program(listen):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM.format(listen=listen), stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("received", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_is_told_to_stop_exits_with_zero(received):
    running = await program("127.0.0.1:0")
    async for line in running.stderr:
        if b'"serving"' in line:
            os.kill(running.pid, received)
    assert await running.wait() == 0


async def test_a_process_that_cannot_start_says_why_in_one_line():
    running = await program("nowhere.invalid:1")
    _, told = await running.communicate()
    assert running.returncode == 2
    assert b"example: cannot listen on nowhere.invalid:1" in told
    assert b"Traceback" not in told
