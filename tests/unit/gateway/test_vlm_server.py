import base64
from datetime import timedelta

import pytest
from mesh.types.v1 import chat_pb2, model_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects.vlm_server import DIALECT
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body

TEXT = base64.b64encode(b"pixels").decode()
ASKED = {"type": "text", "text": "What is this?"}
NOT_READY = pb.GetModelResponse(model=model_pb2.Model(name="m", ready=False))


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


@pytest.mark.parametrize("image", [TEXT, f"data:image/jpeg;base64,{TEXT}"])
def test_a_picture_is_base64_with_or_without_the_prefix_of_a_data_url(image):
    (ask,), _, _ = generate(user({"type": "image", "image": image}), answer())
    assert ask.request.messages[0].parts[0].image.data == b"pixels"


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "image", "image": "https://pictures.example/one.jpg"}, "image"),
        ({"type": "image", "image": "http://169.254.169.254/latest"}, "image"),
        ({"type": "image", "image": "file:///etc/passwd"}, "image"),
        ({"type": "image", "image": "/home/someone/one.jpg"}, "image"),
        ({"type": "image", "image": ""}, "image"),
        ({"type": "video", "video": "https://pictures.example/one.mp4"}, "video"),
        ({"type": "video"}, "video"),
    ],
)
def test_what_this_version_does_not_look_at_is_refused_with_what_it_does(part, field):
    asked, status, told = generate(user(ASKED, part))
    assert (asked, status) == ([], 400)
    assert told["detail"].startswith(f"messages[0].content[1].{field}: ")
    assert "data URL" in told["detail"]
    assert "base64" in told["detail"]
    assert "example" not in told["detail"]


@pytest.mark.parametrize(
    ("sent", "loc"),
    [
        (b"{", ["body"]),
        ({}, ["body", "messages"]),
        ({"messages": []}, ["body", "messages"]),
        ({"messages": [{"content": "x"}]}, ["body", "messages", 0, "role"]),
        ({"messages": [{"role": "tool", "content": "x"}]}, ["body", "messages", 0, "role"]),
        ({"messages": [{"role": "user"}]}, ["body", "messages", 0, "content"]),
        (user({"type": "dance"}), ["body", "messages", 0, "content"]),
        (user({"type": "text"}), ["body", "messages", 0, "content"]),
        (user({"type": "image"}), ["body", "messages", 0, "content"]),
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
        user(*[{"type": "text"}] * 128),
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
        (errors.Exhausted("too many wait"), 429, "too many wait"),
        (
            errors.Unavailable("the engine does not answer"),
            503,
            "Model not loaded: the engine does not answer",
        ),
    ],
)
def test_what_the_room_refuses_is_told_in_the_dialects_words(error, status, detail):
    assert generate(user(ASKED), error)[1:] == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("told", "status", "loaded"),
    [
        (pb.GetModelResponse(model=model_pb2.Model(name="m", ready=True)), "healthy", True),
        (NOT_READY, "unhealthy", False),
        (errors.Unavailable("the room is down"), "unhealthy", False),
        (errors.TimedOut("it took too long"), "unhealthy", False),
    ],
)
def test_health_tells_whether_the_model_can_answer_and_nothing_that_is_not_known(
    told, status, loaded
):
    (ask,), code, health = conversations.call(DIALECT, "GET", "/health", Request(), told)
    assert ask.method == "GetModel"
    assert (code, health) == (
        200,
        {
            "status": status,
            "model_loaded": loaded,
            "device": None,
            "gpu_available": None,
            "memory_usage": None,
        },
    )


def test_health_hides_no_mistake_of_the_mesh():
    failed = errors.Internal("something failed inside the mesh")
    assert conversations.call(DIALECT, "GET", "/health", Request(), failed)[1] == 500


@pytest.mark.parametrize(("verb", "path"), [("GET", "/vram_status"), ("POST", "/clear_vram")])
def test_the_engines_memory_is_not_told_yet(verb, path):
    asked, status, told = conversations.call(DIALECT, verb, path, Request())
    assert (asked, status) == ([], 501)
    assert "yet" in told["detail"]
