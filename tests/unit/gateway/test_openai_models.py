import json

import pytest
from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.types.v1 import model_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb

from gateway.bridge.dialects import openai_models as models
from gateway.bridge.dialects.openai import DIALECT
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations

DOWN = errors.Unavailable("the room does not answer")


def known(pb, name, *, ready=True):
    return pb.GetModelResponse(model=model_pb2.Model(name=name, engine="double", ready=ready))


SEES = known(vision_pb, "aisle")
REASONS = known(reasoning_pb, "coder")
HEARS = known(audio_pb, "ears", ready=False)


def get(path, *answers, **in_path):
    return conversations.call(DIALECT, "GET", path, Request(path=in_path), *answers)


def test_the_models_of_all_rooms_are_listed():
    asked, status, told = get("/v1/models", SEES, REASONS, HEARS)
    assert {it.method for it in asked} == {"GetModel"}
    assert (status, told["object"]) == (200, "list")
    assert [(it["id"], it["room"], it["ready"]) for it in told["data"]] == [
        ("aisle", "vision", True),
        ("coder", "reasoning", True),
        ("ears", "audio", False),
    ]
    assert told["data"][0] == {
        "id": "aisle",
        "object": "model",
        "created": 0,
        "owned_by": "double",
        "room": "vision",
        "ready": True,
    }


def test_a_room_that_is_down_has_no_model():
    _, status, told = get("/v1/models", SEES, DOWN, DOWN)
    assert (status, [it["id"] for it in told["data"]]) == (200, ["aisle"])


def test_a_model_of_two_rooms_is_listed_once():
    _, _, told = get("/v1/models", SEES, known(reasoning_pb, "aisle"), HEARS)
    assert [it["id"] for it in told["data"]] == ["aisle", "ears"]


def test_one_model_is_told():
    _, status, told = get("/v1/models/{model}", SEES, REASONS, HEARS, model="coder")
    assert (status, told["id"], told["room"]) == (200, "coder", "reasoning")


@pytest.mark.parametrize(("name", "shown"), [("gpt-9", "gpt-9"), ("x" * 300, "of this name")])
def test_a_model_that_is_not_there_is_told_as_openai_does(name, shown):
    asked, status, told = get("/v1/models/{model}", SEES, REASONS, HEARS, model=name)
    assert (asked, status) == ([], 404)
    error = told["error"]
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        "model",
        "model_not_found",
    )
    assert f"'{shown}'" in error["message"]
    assert "/v1/models" in error["message"]


def chosen(name, *answers, services=(models.REASONING, models.VISION)):
    def conversation():
        return json.dumps((yield from models.choose(name, *services)))

    return conversations.tell(conversation(), *answers)


@pytest.mark.parametrize(
    ("name", "answers", "expected"),
    [
        ("coder", [REASONS], ["ReasoningService", "coder"]),
        ("aisle", [REASONS, SEES], ["VisionService", "aisle"]),
        ("aisle", [DOWN, SEES], ["VisionService", "aisle"]),
        ("default", [REASONS], ["ReasoningService", "coder"]),
    ],
)
def test_a_room_is_chosen_by_the_name_of_its_model(name, answers, expected):
    asked, told = chosen(name, *answers)
    assert json.loads(told) == expected
    assert len(asked) == len(answers)


def test_a_name_that_no_model_has_is_not_found_unless_a_room_is_down():
    with pytest.raises(errors.NotFound, match="'gpt-9' does not exist"):
        chosen("gpt-9", REASONS, SEES)
    with pytest.raises(errors.Unavailable, match="does not answer"):
        chosen("gpt-9", DOWN, SEES)


def test_the_name_that_clients_have_written_into_them_is_whatever_hears():
    assert json.loads(chosen("whisper-1", HEARS, services=(models.AUDIO,))[1])[1] == "ears"
    with pytest.raises(errors.NotFound):
        chosen("whisper-1", REASONS, services=(models.REASONING,))
