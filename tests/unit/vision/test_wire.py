from datetime import timedelta

from mesh.types.v1 import chat_pb2

from services.engine.domain import Answer, FinishReason
from services.vision import wire
from services.vision.domain import Description, Generated

ANSWER = Answer("seen", FinishReason.LENGTH, input_tokens=5, output_tokens=2, model="m")


def test_an_answer_is_written_with_its_cost() -> None:
    written = wire.generated_to_pb(Generated(ANSWER, timedelta(seconds=1.5)))
    assert (written.text, written.model) == ("seen", "m")
    assert written.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    assert (written.usage.input_tokens, written.usage.output_tokens) == (5, 2)
    assert written.usage.processing_time.ToTimedelta() == timedelta(seconds=1.5)


def test_both_descriptions_are_written_alike() -> None:
    description = Description(ANSWER, width=4, height=3, processing_time=timedelta(seconds=2))
    called, uploaded = (
        wire.description_to_pb(description),
        wire.upload_description_to_pb(description),
    )
    assert called.SerializeToString() == uploaded.SerializeToString()
    assert (called.description, called.width, called.height) == ("seen", 4, 3)
