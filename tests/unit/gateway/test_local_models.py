import base64

import pytest
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects.local_models import DIALECT
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body

TEXT = base64.b64encode(b"pixels").decode()
TOLD = pb.DescribeResponse(description="An aisle.", width=140, height=112)
FORM, JSON = "/vision/frame", "/vision/frame_b64"


def call(path, request, *answers):
    return conversations.call(DIALECT, "POST", path, request, *answers)


@pytest.mark.parametrize(
    ("path", "request_", "session"),
    [
        (FORM, Request(form={"file": b"pixels", "session_id": b"s1"}), "s1"),
        (FORM, Request(form={"file": b"pixels", "session_id": b""}), None),
        (FORM, Request(form={"file": b"pixels"}), None),
        (JSON, body({"image_b64": TEXT, "session_id": "s1"}), "s1"),
        (JSON, body({"image_b64": TEXT, "session_id": None}), None),
        (JSON, body({"image_b64": TEXT, "metadata": {"any": ["thing"]}}), None),
    ],
)
def test_a_frame_is_described(path, request_, session):
    (ask,), status, told = call(path, request_, TOLD)
    assert (ask.service, ask.method) == ("VisionService", "Describe")
    assert ask.request.image.data == b"pixels"
    assert "dangerous" in ask.request.prompt
    assert ask.request.language == "es"
    assert (status, told) == (
        200,
        {"description": "An aisle.", "session_id": session, "width": 140, "height": 112},
    )


@pytest.mark.parametrize(
    ("path", "request_", "kind", "loc"),
    [
        (FORM, Request(form={"session_id": b"s1"}), "missing", ["body", "file"]),
        (FORM, Request(), "missing", ["body", "file"]),
        (
            FORM,
            Request(form={"file": b"pixels", "session_id": b"\xff"}),
            "string_unicode",
            ["body", "session_id"],
        ),
        (JSON, body({"session_id": "s1"}), "missing", ["body", "image_b64"]),
        (JSON, body({"image_b64": 7}), "string_type", ["body", "image_b64"]),
        (JSON, body({"image_b64": TEXT, "session_id": 7}), "string_type", ["body", "session_id"]),
        (JSON, body(b'{"image_b64": '), "json_invalid", ["body"]),
        (JSON, body(b""), "json_invalid", ["body"]),
        (JSON, body([]), "model_type", ["body"]),
    ],
)
def test_what_lacks_or_has_a_wrong_type_is_told_in_a_list(path, request_, kind, loc):
    asked, status, told = call(path, request_)
    assert (asked, status) == ([], 422)
    (mistake,) = told["detail"]
    assert (mistake["type"], mistake["loc"]) == (kind, loc)
    assert mistake["msg"]
    assert "input" not in mistake


@pytest.mark.parametrize("text", ["%%%", "cGl4\n", f"data:image/png;base64,{TEXT}", "", "é", "A"])
def test_only_strict_base64_is_taken(text):
    asked, status, told = call(JSON, body({"image_b64": text}), TOLD)
    assert (asked, status, told) == ([], 400, {"detail": "invalid image_b64"})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput.field("image", "is not a picture of a known format"), 400),
        (errors.Exhausted("too many wait"), 503),
        (errors.Internal("something failed inside the mesh"), 500),
        (errors.Unavailable("the engine does not answer"), 503),
        (errors.TimedOut("the deadline came first"), 504),
    ],
)
@pytest.mark.parametrize(
    ("path", "request_"),
    [(FORM, Request(form={"file": b"pixels"})), (JSON, body({"image_b64": TEXT}))],
)
def test_what_the_room_refuses_is_told_as_detail(path, request_, error, status):
    assert call(path, request_, error)[1:] == (status, {"detail": str(error)})
