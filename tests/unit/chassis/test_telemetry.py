import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry import trace

from services.chassis import client, telemetry
from tests.doubles import echo

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CARRIED = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


async def tell_trace(value):
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
async def test_a_trace_that_a_caller_began_is_known_though_spans_are_sent_to_nobody(kind):
    async with echo.serving(tell_trace) as channel:
        *_, told = await echo.ask(channel, kind, "", metadata=tuple(CARRIED.items()))
    assert told == TRACE


async def test_a_trace_that_a_client_began_goes_on_to_the_rooms():
    async with echo.serving(tell_trace) as channel:
        method = channel.unary_unary(
            "/test.Echo/unary_unary",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        with telemetry.receiving("GET /", CARRIED, {}):
            told = await client.call(method, StringValue())
    assert told.value == TRACE


def test_a_request_of_no_trace_begins_none_where_spans_are_sent_to_nobody():
    with telemetry.receiving("GET /", {}, {}) as span:
        assert not span.get_span_context().is_valid
        assert trace.get_current_span() is trace.INVALID_SPAN
