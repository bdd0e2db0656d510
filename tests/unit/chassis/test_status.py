from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from services.chassis import errors, status

FAMILY = {
    errors.InvalidInput: "INVALID_ARGUMENT",
    errors.Unauthenticated: "UNAUTHENTICATED",
    errors.Denied: "PERMISSION_DENIED",
    errors.NotFound: "NOT_FOUND",
    errors.Conflict: "ABORTED",
    errors.Precondition: "FAILED_PRECONDITION",
    errors.Exhausted: "RESOURCE_EXHAUSTED",
    errors.Internal: "INTERNAL",
    errors.Unimplemented: "UNIMPLEMENTED",
    errors.Unavailable: "UNAVAILABLE",
    errors.TimedOut: "DEADLINE_EXCEEDED",
}


class Failed(grpc.RpcError):
    """What a client's call fails with when a server aborted with a status."""

    def __init__(self, code, message, trailers=()):
        self._told = code, message, trailers

    def code(self):
        return self._told[0]

    def details(self):
        return self._told[1]

    def trailing_metadata(self):
        return self._told[2]


def over_the_wire(error):
    rich = rpc_status.to_status(status.to_status(error))
    return status.from_rpc_error(Failed(rich.code, rich.details, rich.trailing_metadata))


def test_every_error_of_the_family_has_its_code():
    assert {kind: code.name for kind, code in status.CODES.items()} == FAMILY
    assert set(FAMILY) == set(errors.MeshError.__subclasses__())


def test_the_table_in_the_docstring_of_errors_is_the_table():
    for kind, code in FAMILY.items():
        assert f"{kind.__name__:<17} {code:<20}" in errors.__doc__


@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_crosses_the_wire_whole(kind):
    sent = kind(
        "image cannot be decoded",
        remedy="send a JPEG",
        code="INVALID_IMAGE",
        violations=[errors.Violation("image", "not an image")],
        resource=errors.Resource("job", "7"),
        retry_after=timedelta(seconds=1.5),
    )
    received = over_the_wire(sent)
    assert type(received) is kind
    assert vars(received) == vars(sent)
    assert str(received) == "image cannot be decoded; send a JPEG"


def test_what_an_error_does_not_say_is_not_made_up_on_the_way():
    received = over_the_wire(errors.NotFound("no job 7"))
    assert vars(received) == vars(errors.NotFound("no job 7"))


def test_a_status_always_carries_its_error_info():
    info = error_details_pb2.ErrorInfo()
    assert status.to_status(errors.Unavailable("down")).details[0].Unpack(info)
    assert (info.domain, info.reason) == ("sensorium", "UNAVAILABLE")


def test_a_subclass_of_a_kind_has_its_code():
    class Busy(errors.Exhausted):
        """Too busy."""

    assert status.code_of(Busy("busy")) is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("trailers", [None, (), ((status.DETAILS_KEY, b"\xff\xff"),)])
def test_a_failure_without_readable_details_keeps_its_code_and_message(trailers):
    received = status.from_rpc_error(Failed(grpc.StatusCode.UNAVAILABLE, "refused", trailers))
    assert type(received) is errors.Unavailable
    assert str(received) == "refused"


def test_a_code_outside_the_table_is_internal():
    received = status.from_rpc_error(Failed(grpc.StatusCode.DATA_LOSS, "", ()))
    assert type(received) is errors.Internal
    assert str(received) == "data loss"


def test_a_stream_that_ended_while_it_was_written_may_be_opened_again():
    failed = Failed(grpc.StatusCode.INTERNAL, "Internal error from Core")
    assert isinstance(status.from_rpc_error(failed), errors.Unavailable)
    assert isinstance(status.from_rpc_error(Failed(grpc.StatusCode.INTERNAL, "")), errors.Internal)
