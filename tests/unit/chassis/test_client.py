import time
from datetime import timedelta

import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis import call, client, errors, transport
from tests.doubles import echo


def method_of(channel, kind):
    return getattr(channel, kind)(
        f"/test.Echo/{kind}",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )


async def tell_call(value):
    now = call.current()
    return f"{now.tenant} {now.remaining():.0f}"


async def tell_priority(value):
    return call.current().priority


async def fail(value):
    raise errors.Exhausted("full", retry_after=timedelta(seconds=3))


async def test_a_call_carries_the_tenant_and_the_deadline_on():
    async with echo.serving(tell_call) as channel:
        with call.use(call.Call(tenant="acme", deadline=time.monotonic() + 7.2)):
            answer = await client.call(method_of(channel, "unary_unary"), StringValue())
    assert answer.value == "acme 7"


async def test_a_call_carries_the_priority_on():
    async with echo.serving(tell_priority) as channel:
        with call.use(call.Call(priority=call.Priority.JOB)):
            answer = await client.call(method_of(channel, "unary_unary"), StringValue())
            streamed = client.stream(method_of(channel, "unary_stream"), StringValue())
            assert [it.value async for it in streamed] == ["first", "job"]
    assert answer.value == "job"


async def test_a_call_ends_at_its_own_timeout_when_that_is_sooner():
    async with echo.serving(tell_call) as channel:
        with call.use(call.Call(deadline=time.monotonic() + 60)):
            answer = await client.call(
                method_of(channel, "unary_unary"), StringValue(), timeout=3.2
            )
    assert answer.value == "default 3"


@pytest.mark.parametrize("options", [(), transport.CLIENT_OPTIONS])
async def test_a_message_that_no_channel_takes_is_a_mistake_of_its_sender(options):
    # One end or the other refuses it, before any of our code sees it.
    large = StringValue(value="x" * transport.MESSAGE_BYTES)
    async with (
        echo.server(tell_call).running() as address,
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        with pytest.raises(errors.InvalidInput, match="over the limit of 33 MiB") as refused:
            await client.call(method_of(channel, "unary_unary"), large)
    assert refused.value.code == "BODY_TOO_LARGE"


async def test_a_call_without_time_left_is_not_made():
    async with echo.serving(tell_call) as channel:
        with call.use(call.Call(deadline=time.monotonic())), pytest.raises(errors.TimedOut):
            await client.call(method_of(channel, "unary_unary"), StringValue())


async def test_what_the_room_raised_is_raised_here():
    async with echo.serving(fail) as channel:
        with pytest.raises(errors.Exhausted, match="full") as unary:
            await client.call(method_of(channel, "unary_unary"), StringValue())
        with pytest.raises(errors.Exhausted, match="full"):
            async for _ in client.stream(method_of(channel, "unary_stream"), StringValue()):
                pass
    assert unary.value.retry_after == timedelta(seconds=3)


async def test_a_stream_is_read_to_its_end():
    async with echo.serving(tell_call) as channel:
        answers = client.stream(method_of(channel, "unary_stream"), StringValue(), timeout=9.2)
        assert [it.value async for it in answers] == ["first", "default 9"]


async def test_a_room_that_is_not_there_is_unavailable():
    async with client.channel("127.0.0.1:1") as channel:
        with pytest.raises(errors.Unavailable):
            await client.call(method_of(channel, "unary_unary"), StringValue())
