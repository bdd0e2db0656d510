import base64
from datetime import timedelta

import pytest
from mesh.types.v1 import chat_pb2, model_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects import caption_queue
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body

DIALECT = caption_queue.dialect(queue_workers=2)
TEXT = base64.b64encode(b"pixels").decode()
PICTURE = {"image": TEXT, "prompt": "What is this?"}
FILE = {"file": b"pixels"}


def usage():
    made = usage_pb2.Usage(input_tokens=30, output_tokens=12)
    made.processing_time.FromTimedelta(timedelta(milliseconds=250))
    return made


def answer():
    return pb.GenerateResponse(text="An aisle.", usage=usage(), model="aisle")


def description():
    return pb.DescribeResponse(description="An aisle.", usage=usage(), model="aisle")


def post(path, request, *answers):
    return conversations.call(DIALECT, "POST", path, request, *answers)


@pytest.mark.parametrize(
    ("path", "request_", "prompt", "sampling"),
    [
        ("/describe", body(PICTURE), "What is this?", (512, 0.7, 0.9)),
        (
            "/describe",
            body(
                {
                    "image": f"data:image/png;base64,{TEXT}",
                    "prompt": "What?",
                    "max_tokens": 9,
                    "temperature": 0,
                    "top_p": 1,
                }
            ),
            "What?",
            (9, 0, 1),
        ),
        (
            "/describe/file",
            Request(form=FILE),
            "Describe what you see in this image",
            (512, 0.7, 0.9),
        ),
        (
            "/describe/file",
            Request(
                form=FILE,
                query={"prompt": "What?", "max_tokens": "9", "temperature": "0.5", "top_p": "1"},
            ),
            "What?",
            (9, 0.5, 1),
        ),
        (
            "/describe/file",
            Request(
                form=FILE | {"prompt": b"What?", "max_tokens": b"9", "top_p": b"", "x": [b"y"]},
                query={"max_tokens": "7"},
            ),
            "What?",
            (7, 0.7, 0.9),
        ),
    ],
)
def test_a_picture_is_described_as_it_was_asked(path, request_, prompt, sampling):
    (ask,), status, told = post(path, request_, answer())
    assert (ask.service, ask.method) == ("VisionService", "Generate")
    (message,) = ask.request.messages
    assert message.role == chat_pb2.ROLE_USER
    assert [part.image.data or part.text for part in message.parts] == [b"pixels", prompt]
    max_tokens, temperature, top_p = sampling
    assert ask.request.sampling == chat_pb2.Sampling(
        max_tokens=max_tokens, temperature=temperature, top_p=top_p
    )
    assert (status, told) == (
        200,
        {
            "description": "An aisle.",
            "confidence": 0.85,
            "processing_time": 0.25,
            "model_info": {
                "model": "aisle",
                "model_id": "aisle",
                "revision": None,
                "device": None,
                "max_tokens": max_tokens,
                "temperature": temperature,
            },
        },
    )


@pytest.mark.parametrize(
    ("query", "form", "length", "asked"),
    [
        ({}, {}, "normal", pb.DESCRIPTION_LENGTH_NORMAL),
        ({"length": "normal"}, {"length": b"short"}, "normal", pb.DESCRIPTION_LENGTH_NORMAL),
        ({"length": "short"}, {}, "short", pb.DESCRIPTION_LENGTH_SHORT),
        ({}, {"length": b"short"}, "short", pb.DESCRIPTION_LENGTH_SHORT),
    ],
)
def test_a_caption_is_as_long_as_it_was_asked(query, form, length, asked):
    sent = Request(form=FILE | form, query=query)
    (ask,), status, told = post("/caption", sent, description())
    assert (ask.service, ask.method) == ("VisionService", "Describe")
    assert (ask.request.image.data, ask.request.prompt) == (b"pixels", "")
    assert ask.request.length == asked
    assert (status, told) == (
        200,
        {
            "caption": "An aisle.",
            "length": length,
            "processing_time": 0.25,
            "model_info": {
                "model": "aisle",
                "model_id": "aisle",
                "revision": None,
                "device": None,
            },
        },
    )


@pytest.mark.parametrize(
    ("path", "request_", "loc"),
    [
        ("/describe", body({"prompt": "What?"}), ["body", "image"]),
        ("/describe", body({"image": TEXT}), ["body", "prompt"]),
        ("/describe", body(PICTURE | {"prompt": ""}), ["body", "prompt"]),
        ("/describe", body(PICTURE | {"top_p": 2}), ["body", "top_p"]),
        ("/describe", body(b"no JSON"), ["body"]),
        ("/describe/file", Request(), ["body", "file"]),
        (
            "/describe/file",
            Request(form=FILE, query={"temperature": "hot"}),
            ["query", "temperature"],
        ),
        ("/caption", Request(), ["body", "file"]),
        ("/caption", Request(form=FILE, query={"length": "long"}), ["query", "length"]),
    ],
)
def test_what_lacks_or_is_out_of_bounds_is_told_in_a_list(path, request_, loc):
    asked, status, told = post(path, request_)
    assert (asked, status) == ([], 422)
    assert [it["loc"] for it in told["detail"]] == [loc]


def test_a_picture_that_is_no_base64_is_the_callers_mistake():
    asked, status, told = post("/describe", body(PICTURE | {"image": "%%%"}))
    assert (asked, status) == ([], 400)
    assert told["detail"].startswith("image: is no base64")


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (errors.InvalidInput.field("messages[0].parts[0].image", "no"), 400, "image: no"),
        (errors.Unavailable("the engine does not answer"), 503, "the engine does not answer"),
        (errors.Internal("it failed"), 500, "it failed"),
    ],
)
def test_what_the_room_refuses_is_told_as_detail(error, status, detail):
    assert post("/describe", body(PICTURE), error)[1:] == (status, {"detail": detail})


def test_a_full_room_says_when_to_come_back():
    full = errors.Exhausted("too many wait", retry_after=timedelta(seconds=3))
    assert DIALECT.refuse(full).headers == {"retry-after": "3"}


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("device", [pb.GetDeviceResponse(), errors.Unimplemented("not built")])
def test_the_model_is_told_without_what_is_not_known(ready, device):
    model = model_pb2.Model(name="aisle", engine="openai", ready=ready)
    asked = conversations.call(
        DIALECT, "GET", "/model/info", Request(), pb.GetModelResponse(model=model), device
    )
    assert asked[1:] == (
        200,
        {
            "model_name": "aisle",
            "model_type": "vision-language model",
            "model_id": "aisle",
            "revision": None,
            "device": None,
            "gpu_available": None,
            "memory_usage": None,
            "gpu_memory": None,
            "queue_enabled": True,
            "queue_workers": 2,
            "model_loaded": ready,
        },
    )


def test_what_the_model_runs_on_is_told():
    model = pb.GetModelResponse(model=model_pb2.Model(name="aisle"))
    card = pb.GetDeviceResponse(device="NVIDIA H100", memory_used_bytes=1024**3)
    *_, told = conversations.call(DIALECT, "GET", "/model/info", Request(), model, card)
    assert (told["device"], told["gpu_available"]) == ("cuda", True)
    assert told["gpu_memory"]["allocated_mb"] == 1024
    assert told["memory_usage"]["gpu"] == told["gpu_memory"]
