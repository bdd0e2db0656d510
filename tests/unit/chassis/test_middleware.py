import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis import call, errors, guards, status
from tests.doubles import echo


class Flood(echo.Echo):
    """Tells `behave` at its end whether it is still in the task and the call of its beginning."""

    async def unary_stream(self, request, context):
        handled_by, under_way = asyncio.current_task(), call.current()
        try:
            while True:
                yield StringValue(value="x" * 1_000_000)
        finally:
            await self.behave((asyncio.current_task() is handled_by, call.current() == under_way))


every_kind = pytest.mark.parametrize("kind", echo.KINDS)


async def shout(value):
    return value.upper()


@every_kind
async def test_a_call_passes_through_the_chain(kind):
    async with echo.serving(shout) as channel:
        assert (await echo.ask(channel, kind, "x"))[-1] == "X"


@every_kind
async def test_middlewares_surround_the_handler_in_order(kind):
    seen = []

    def named(name):
        @asynccontextmanager
        async def middleware(rpc):
            seen.append(f"{name} in")
            rpc.inspect.append(lambda request: seen.append(f"{name} sees {request.value}"))
            yield
            seen.append(f"{name} out")

        return middleware

    async with echo.serving(shout, middleware=[named("a"), named("b")]) as channel:
        await echo.ask(channel, kind, "x")
    assert seen == ["a in", "b in", "a sees x", "b sees x", "b out", "a out"]


@every_kind
async def test_an_error_of_the_family_reaches_the_caller_as_its_status(kind):
    async def fail(value):
        raise errors.NotFound("no such thing", remedy="look elsewhere")

    async with echo.serving(fail) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            await echo.ask(channel, kind, "x")
    received = status.from_rpc_error(failed.value)
    assert type(received) is errors.NotFound
    assert received.remedy == "look elsewhere"


@every_kind
async def test_what_cannot_be_read_is_a_mistake_of_its_sender(kind):
    async with echo.serving(shout) as channel:
        method = getattr(channel, kind)(f"/test.Echo/{kind}")
        not_utf8 = b"\x0a\x01\xff"
        answer = method(not_utf8 if kind.startswith("unary") else [not_utf8])
        with pytest.raises(grpc.RpcError) as failed:
            await (answer if kind.endswith("unary") else anext(aiter(answer)))
    received = status.from_rpc_error(failed.value)
    assert type(received) is errors.InvalidInput
    assert received.code == "MALFORMED_REQUEST"


@every_kind
async def test_an_unknown_failure_is_internal_and_tells_nothing(kind, caplog):
    async def fail(value):
        raise ValueError("a secret")

    async with echo.serving(fail) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            await echo.ask(channel, kind, "x")
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in failed.value.details()
    assert "a secret" in caplog.text


@every_kind
async def test_a_call_is_stopped_at_the_deadline_that_the_room_grants(kind, monkeypatch):
    stopped = asyncio.Event()

    async def hang(value):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    monkeypatch.setattr(guards.limits, "UNARY_DEADLINE", guards.limits.UNARY_DEADLINE / 2000)
    monkeypatch.setattr(guards.limits, "STREAM_DEADLINE", guards.limits.UNARY_DEADLINE)
    async with echo.serving(hang) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            await echo.ask(channel, kind, "x")
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stopped.is_set()


@every_kind
async def test_a_caller_that_goes_away_cancels_the_handler(kind):
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def hang(value):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with echo.serving(hang) as channel:
        asking = asyncio.create_task(echo.ask(channel, kind, "x"))
        await begun.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await stopped.wait()


async def test_a_caller_that_goes_away_without_reading_ends_the_handler_in_its_own_task():
    ends = asyncio.Queue()
    async with echo.serving(ends.put, echo=Flood) as channel:
        flood = channel.unary_stream("/test.Echo/unary_stream")(b"")
        await flood.read()
        flood.cancel()
        async with asyncio.timeout(5):
            assert await ends.get() == (True, True)


async def test_a_stream_that_is_not_read_is_ended_and_its_caller_told(monkeypatch):
    monkeypatch.setattr(guards.limits, "UNREAD_DEADLINE", guards.limits.UNREAD_DEADLINE / 600)
    ends = asyncio.Queue()
    async with echo.serving(ends.put, echo=Flood) as channel:
        flood = channel.unary_stream("/test.Echo/unary_stream")(b"")
        async with asyncio.timeout(5):
            assert await ends.get() == (True, True)
            with pytest.raises(grpc.RpcError) as failed:
                async for _ in flood:
                    pass
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "not read" in failed.value.details()


async def test_an_unknown_method_is_unimplemented():
    async with echo.serving(shout) as channel:
        method = channel.unary_unary("/test.Echo/nothing")
        with pytest.raises(grpc.RpcError) as failed:
            await method(b"")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
