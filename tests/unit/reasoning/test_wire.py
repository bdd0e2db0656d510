from datetime import timedelta

from google.protobuf import json_format
from mesh.types.v1 import chat_pb2

from services.engine.domain import (
    Answer,
    FinishReason,
)
from services.reasoning import wire
from services.reasoning.domain import Extracted, Generated

ANSWER = Answer("seen", FinishReason.LENGTH, input_tokens=5, output_tokens=2, model="m")


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
