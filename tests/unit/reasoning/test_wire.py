from datetime import timedelta

import pytest
from google.protobuf import json_format
from mesh.types.v1 import chat_pb2, image_pb2

from services.engine.domain import (
    Answer,
    FinishReason,
    ModelInfo,
    Role,
    Sampling,
    ServedModel,
    Turn,
)
from services.reasoning import wire
from services.reasoning.domain import Extracted, Generated

ANSWER = Answer("seen", FinishReason.LENGTH, input_tokens=5, output_tokens=2, model="m")


def test_turns_keep_their_order_text_and_bytes() -> None:
    picture = chat_pb2.Part(image=image_pb2.Image(data=b"\0\xff", id="ignored"))
    messages = [
        chat_pb2.Message(role=chat_pb2.ROLE_SYSTEM, parts=[chat_pb2.Part(text="a")]),
        chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[picture, chat_pb2.Part(text="b")]),
        chat_pb2.Message(role=chat_pb2.ROLE_ASSISTANT, parts=[chat_pb2.Part(text="c")]),
    ]
    assert wire.turns_from_pb(messages) == [
        Turn(Role.SYSTEM, ("a",)),
        Turn(Role.USER, (b"\0\xff", "b")),
        Turn(Role.ASSISTANT, ("c",)),
    ]


def test_every_role_but_the_unspecified_is_read() -> None:
    for number in set(chat_pb2.Role.values()) - {chat_pb2.ROLE_UNSPECIFIED}:
        wire.turns_from_pb([chat_pb2.Message(role=number)])


def test_sampling_that_is_left_out_stays_open_and_zeros_do_not() -> None:
    assert wire.sampling_from_pb(chat_pb2.Sampling()) == Sampling()
    said = chat_pb2.Sampling(max_tokens=3, temperature=0, top_p=0.5, seed=0, stop=["x"])
    assert wire.sampling_from_pb(said) == Sampling(3, 0.0, 0.5, 0, ("x",))


@pytest.mark.parametrize("reason", FinishReason)
def test_every_finish_reason_is_written(reason: FinishReason) -> None:
    answer = Answer("", reason, 0, 0, "")
    written = wire.generated_to_pb(Generated(answer, timedelta()))
    name = chat_pb2.FinishReason.Name(written.finish_reason)
    assert name == f"FINISH_REASON_{reason.name.replace('UNKNOWN', 'UNSPECIFIED')}"


def test_an_answer_is_written_with_its_cost() -> None:
    written = wire.generated_to_pb(Generated(ANSWER, timedelta(seconds=1.5)))
    assert (written.text, written.model) == ("seen", "m")
    assert (written.usage.input_tokens, written.usage.output_tokens) == (5, 2)
    assert written.usage.processing_time.ToTimedelta() == timedelta(seconds=1.5)


def test_an_object_is_drawn_with_the_likeliest_tokens_unless_said_otherwise() -> None:
    assert wire.exact_sampling_from_pb(chat_pb2.Sampling()).temperature == 0
    said = chat_pb2.Sampling(temperature=0.5)
    assert wire.exact_sampling_from_pb(said).temperature == 0.5


def test_an_object_is_written_whole_with_its_cost() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "ü"}], "empty": {}}
    written = wire.extracted_to_pb(Extracted(value, 5, 2, "m", timedelta(seconds=2)))
    assert json_format.MessageToDict(written.value) == value
    assert (written.usage.input_tokens, written.usage.output_tokens, written.model) == (5, 2, "m")


def test_the_deepest_object_that_is_read_can_be_parsed_again() -> None:
    value: object = 1
    for _ in range(24):
        value = {"a": value}
    written = wire.extracted_to_pb(Extracted(value, 0, 0, "", timedelta()))
    assert type(written).FromString(written.SerializeToString()) == written


def test_a_model_is_written_with_its_notice() -> None:
    written = wire.model_to_pb(ServedModel(ModelInfo("m", 4096), ready=True, notice="n"))
    assert (written.name, written.engine, written.ready) == ("m", "openai", True)
    assert (written.context_tokens, written.notice) == (4096, "n")
