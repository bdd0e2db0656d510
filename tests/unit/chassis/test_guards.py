from types import SimpleNamespace

import pytest
from mesh.jobs.v1 import job_input_pb2
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import watch_pb2

from services.chassis import call, errors, guards, names
from services.chassis.middleware import Rpc
from tests.doubles import echo


async def violations_of(request):
    rpc = Rpc("/m", streaming=False, context=None)
    async with guards.check_requests(rpc):
        with pytest.raises(errors.InvalidInput) as refused:
            rpc.inspect[0](request)
    return refused.value.violations


async def test_a_field_that_breaks_the_contract_is_named_with_its_place_in_lists():
    parts = [chat_pb2.Part(text="x"), chat_pb2.Part(text="")]
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)
    found = await violations_of(pb.GenerateRequest(messages=[message]))
    assert [it.field for it in found] == ["messages[0].parts[1].text"]


@pytest.mark.parametrize(
    "naming",
    [image_pb2.Image, video_pb2.Video, job_input_pb2.TranscriptionInput],
    ids=lambda it: it.__name__,
)
async def test_an_address_of_another_kind_is_refused_in_words(naming):
    [told] = await violations_of(naming(uri="ftp://files.example/one"))
    assert told.problem == "must begin with https://, http://, data:, media:// or file:///"
    assert await passes(naming(uri="HTTPS://files.example/one"))


@pytest.mark.parametrize(
    ("request_", "field", "choices"),
    [
        (
            pb.GenerateRequest(messages=[{"role": chat_pb2.ROLE_USER, "parts": [{}]}]),
            "messages[0].parts[0]",
            "text, image, video",
        ),
        (watch_pb2.WatchRequest(), "", "settings, frame"),
    ],
)
async def test_where_one_of_several_fields_is_missing_they_are_named(request_, field, choices):
    [told] = await violations_of(request_)
    assert (told.field, told.problem) == (field, f"must hold one of {choices}")


async def passes(request):
    rpc = Rpc("/m", streaming=False, context=None)
    async with guards.check_requests(rpc):
        rpc.inspect[0](request)
    return True


async def test_every_broken_field_is_named_up_to_a_bound():
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(text="")] * 40)
    found = await violations_of(pb.GenerateRequest(messages=[message]))
    assert len(found) == 16


async def test_a_good_request_passes():
    assert await passes(pb.DescribeRequest(image={"data": b"x"}))


async def tenant_of(value):
    return call.current().tenant


async def test_the_tenant_is_the_one_that_the_edge_states():
    async with echo.serving(tenant_of) as channel:
        stated = ((names.TENANT_HEADER, "acme"),)
        assert await echo.ask(channel, "unary_unary", "x", metadata=stated) == ["acme"]
        assert await echo.ask(channel, "unary_unary", "x") == [names.DEFAULT_TENANT]


async def priority_of(value):
    return call.current().priority


@pytest.mark.parametrize(
    ("stated", "counts"),
    [("live", "live"), ("job", "job"), ("first", "interactive"), ("", "interactive")],
)
async def test_the_priority_is_the_one_that_is_stated_as_far_as_there_is_such(stated, counts):
    async with echo.serving(priority_of) as channel:
        said = ((names.PRIORITY_HEADER, stated),)
        assert await echo.ask(channel, "unary_unary", "x", metadata=said) == [counts]
        assert await echo.ask(channel, "unary_unary", "x") == ["interactive"]


@pytest.mark.parametrize(("asked", "granted"), [(None, 120), (5.0, 5), (999_999.0, 21_600)])
async def test_a_call_has_the_callers_deadline_or_the_rooms(asked, granted):
    context = SimpleNamespace(invocation_metadata=lambda: (), time_remaining=lambda: asked)
    async with guards.know_caller(Rpc("/m", streaming=False, context=context)):
        assert call.current().remaining() == pytest.approx(granted, abs=1)
    assert call.current().deadline is None
