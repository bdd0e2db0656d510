import base64
from datetime import timedelta

import pytest
from mesh.types.v1 import chat_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects.vlm_server import DIALECT
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body

TEXT = base64.b64encode(b"pixels").decode()
ASKED = {"type": "text", "text": "What is this?"}


def answer():
    usage = usage_pb2.Usage(input_tokens=30, output_tokens=12)
    usage.processing_time.FromTimedelta(timedelta(milliseconds=250))
    return pb.GenerateResponse(text="An aisle.", usage=usage, model="aisle")


def user(*parts, **more):
    return {"messages": [{"role": "user", "content": list(parts)}], **more}


def generate(value, *answers):
    return conversations.call(DIALECT, "POST", "/api/v1/generate", body(value), *answers)


def test_an_answer_comes_with_its_cost():
    _, status, told = generate(user(ASKED), answer())
    assert status == 200
    assert told == {
        "response": "An aisle.",
        "usage": {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42},
        "processing_time": 0.25,
    }


def test_a_conversation_is_asked_for_in_the_contracts_words():
    sent = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "image", "image": TEXT}, ASKED]},
            {"role": "assistant", "content": "An aisle."},
            {"role": "user", "content": "And the floor?"},
        ],
        "max_new_tokens": 64,
        "temperature": 0,
        "top_p": 0.5,
    }
    (ask,), _, _ = generate(sent, answer())
    assert (ask.service, ask.method) == ("VisionService", "Generate")
    said = [
        (it.role, [part.image.data or part.text for part in it.parts])
        for it in ask.request.messages
    ]
    assert said == [
        (chat_pb2.ROLE_SYSTEM, ["Be brief."]),
        (chat_pb2.ROLE_USER, [b"pixels", "What is this?"]),
        (chat_pb2.ROLE_ASSISTANT, ["An aisle."]),
        (chat_pb2.ROLE_USER, ["And the floor?"]),
    ]
    assert ask.request.sampling == chat_pb2.Sampling(max_tokens=64, temperature=0, top_p=0.5)


def test_an_answer_is_drawn_as_vlm_server_draws_it():
    (ask,), _, _ = generate(user(ASKED), answer())
    assert ask.request.sampling == chat_pb2.Sampling(max_tokens=512, temperature=0.7, top_p=0.9)


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("text", [TEXT, f"data:image/jpeg;base64,{TEXT}"])
def test_a_picture_is_base64_with_or_without_the_prefix_of_a_data_url(kind, text):
    (ask,), _, _ = generate(user({"type": kind, kind: text}), answer())
    assert getattr(ask.request.messages[0].parts[0], kind).data == b"pixels"


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("https://pictures.example/one.jpg?signed=x", "https://pictures.example/one.jpg?signed=x"),
        ("HTTP://pictures.example/one", "HTTP://pictures.example/one"),
        ("media://m1", "media://m1"),
        ("file:///srv/one.jpg", "file:///srv/one.jpg"),
        ("/srv/my pictures/one.jpg", "file:///srv/my%20pictures/one.jpg"),
    ],
)
def test_what_is_elsewhere_is_named_to_the_room_which_decides(kind, text, uri):
    (ask,), _, _ = generate(user({"type": kind, kind: text}), answer())
    (part,) = ask.request.messages[0].parts
    assert part.WhichOneof("content") == kind
    assert (getattr(part, kind).uri, getattr(part, kind).data) == (uri, b"")


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"type": "image", "image": "one.jpg"}, "image: is no base64"),
        ({"type": "image", "image": "ftp://pictures.example/one.jpg"}, "image: is no base64"),
        ({"type": "image", "image": "/9j/4AAQ%"}, "image: is no base64"),
        ({"type": "video", "video": "/" + "x/" * 2100 + "."}, "video: is no base64"),
        ({"type": "image", "image": ""}, "image: is missing or empty"),
        ({"type": "image"}, "image: is missing or empty"),
        ({"type": "video", "image": TEXT}, "video: is missing or empty"),
        ({"type": "text"}, "text: is missing or empty"),
        ({"type": "dance", "dance": "tango"}, "type: is not known here; use text, image or video"),
    ],
)
def test_an_item_that_cannot_be_read_is_the_callers_mistake(item, told):
    asked, status, refused = generate(user(ASKED, item))
    assert (asked, status) == ([], 400)
    assert refused["detail"].startswith(f"messages[0].content[1].{told}")
    assert "example" not in refused["detail"]


@pytest.mark.parametrize(
    ("sent", "loc"),
    [
        (b"{", ["body"]),
        ({}, ["body", "messages"]),
        ({"messages": []}, ["body", "messages"]),
        ({"messages": [{"content": "x"}]}, ["body", "messages", 0, "role"]),
        ({"messages": [{"role": "tool", "content": "x"}]}, ["body", "messages", 0, "role"]),
        ({"messages": [{"role": "user"}]}, ["body", "messages", 0, "content"]),
        (user({"text": "x"}), ["body", "messages", 0, "content"]),
        (user({"type": 7}), ["body", "messages", 0, "content"]),
        (user({"type": "image", "image": ["x"]}), ["body", "messages", 0, "content"]),
        (user(), ["body", "messages", 0, "content"]),
        ({"messages": [{"role": "user", "content": ""}]}, ["body", "messages", 0, "content"]),
        (user(ASKED, max_new_tokens=0), ["body", "max_new_tokens"]),
        (user(ASKED, max_new_tokens="many"), ["body", "max_new_tokens"]),
        (user(ASKED, temperature=-1), ["body", "temperature"]),
        (user(ASKED, temperature=float("nan")), ["body", "temperature"]),
        (user(ASKED, top_p=0), ["body", "top_p"]),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', ["body"]),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', ["body"]),
        (b"[" * 10_000, ["body"]),
    ],
)
def test_a_body_of_another_shape_is_told_in_a_list(sent, loc):
    asked, status, told = generate(sent)
    assert (asked, status) == ([], 422)
    assert [it["loc"][: len(loc)] for it in told["detail"]] == [loc] * len(told["detail"])
    assert told["detail"]


@pytest.mark.parametrize(
    "sent",
    [
        user(*[{"text": "x"}] * 128),
        user(*[[]] * 100_000),
        {"messages": [{"role": "x"}] * 256},
        {"messages": [{}] * 100_000},
    ],
)
def test_of_a_list_of_mistakes_the_first_is_told(sent):
    _, status, told = generate(sent)
    assert status == 422
    assert len(told["detail"]) <= 2
    assert {it["loc"][2] for it in told["detail"]} == {0}


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (
            errors.InvalidInput.field("messages[0].parts[1].image", "is empty"),
            400,
            "messages[0].content[1].image: is empty",
        ),
        (
            errors.InvalidInput.field("messages[0].role", "no", remedy="end with ROLE_USER"),
            400,
            "messages[0].role: no; end with user",
        ),
        (
            errors.InvalidInput.field("messages[0].parts[1].video.uri", "is not allowed"),
            400,
            "messages[0].content[1].video: is not allowed",
        ),
        (errors.Exhausted("too many wait"), 503, "too many wait"),
        (
            errors.Unavailable("the engine does not answer"),
            503,
            "Model not loaded: the engine does not answer",
        ),
        (
            errors.Unavailable(
                "messages[0].parts[1].image.uri: could not be fetched",
                violations=[
                    errors.Violation("messages[0].parts[1].image.uri", "could not be fetched")
                ],
            ),
            503,
            "messages[0].content[1].image: could not be fetched",
        ),
    ],
)
def test_what_the_room_refuses_is_told_in_the_dialects_words(error, status, detail):
    assert generate(user(ASKED), error)[1:] == (status, {"detail": detail})


def test_a_full_room_says_when_to_come_back():
    full = errors.Exhausted("too many wait", retry_after=timedelta(seconds=3))
    refused = DIALECT.refuse(full)
    assert (refused.status, refused.headers) == (503, {"retry-after": "3"})


CARD = pb.GetDeviceResponse(
    device="NVIDIA H100",
    memory_total_bytes=80 * 1024**3,
    memory_used_bytes=20 * 1024**3,
    engine_memory_bytes=18.256 * 1024**3,
)
VRAM = {
    "allocated_gb": 20.0,
    "reserved_gb": 18.26,
    "free_gb": 60.0,
    "total_gb": 80.0,
    "usage_percentage": 25.0,
}
UNTOLD = dict.fromkeys(VRAM)


@pytest.mark.parametrize(
    ("device", "vram"),
    [
        (CARD, VRAM),
        (pb.GetDeviceResponse(device="NVIDIA H100"), UNTOLD),
        (
            pb.GetDeviceResponse(device="cpu", engine_memory_bytes=1024**3),
            UNTOLD | {"reserved_gb": 1.0},
        ),
        (
            pb.GetDeviceResponse(device="cpu", memory_total_bytes=0, memory_used_bytes=0),
            UNTOLD | {"allocated_gb": 0.0, "free_gb": 0.0, "total_gb": 0.0},
        ),
    ],
)
def test_memory_is_told_in_gib_and_what_is_not_known_is_null(device, vram):
    (ask,), status, told = conversations.call(DIALECT, "GET", "/vram_status", Request(), device)
    assert ask.method == "GetDevice"
    assert (status, told) == (200, vram)


@pytest.mark.parametrize(
    ("device", "vram"),
    [(CARD, VRAM), (errors.Unavailable("down"), UNTOLD), (errors.Unimplemented("no"), UNTOLD)],
)
def test_clearing_says_what_was_dropped_and_what_is_left(device, vram):
    dropped = pb.ReleaseMemoryResponse(released=["prefix cache"])
    asked, status, told = conversations.call(
        DIALECT, "POST", "/clear_vram", Request(), dropped, device
    )
    assert [ask.method for ask in asked] == ["ReleaseMemory", "GetDevice"]
    assert status == 200
    assert told == {"status": "success", "released": ["prefix cache"], "vram_status": vram}


@pytest.mark.parametrize(("verb", "path"), [("GET", "/vram_status"), ("POST", "/clear_vram")])
def test_a_room_that_is_down_is_told(verb, path):
    down = errors.Unavailable("the room is down")
    _, status, told = conversations.call(DIALECT, verb, path, Request(), down)
    assert (status, told["detail"]) == (503, "Model not loaded: the room is down")
