from datetime import timedelta

import pytest
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb

from services.engine import wire
from services.engine.domain import (
    Delta,
    FinishReason,
    ModelInfo,
    Piece,
    Role,
    Sampling,
    SentPicture,
    SentVideo,
    ServedModel,
    Turn,
)
from services.engine.machine import Capabilities


def test_turns_keep_their_order_text_and_bytes() -> None:
    picture = chat_pb2.Part(image=image_pb2.Image(data=b"\0\xff", id="ignored"))
    named = chat_pb2.Part(image=image_pb2.Image(uri="media://a"))
    sent = video_pb2.Video(uri="media://b", frames_per_second=2, max_frames=9)
    video = chat_pb2.Part(video=sent)
    messages = [
        chat_pb2.Message(role=chat_pb2.ROLE_SYSTEM, parts=[chat_pb2.Part(text="a")]),
        chat_pb2.Message(
            role=chat_pb2.ROLE_USER, parts=[picture, chat_pb2.Part(text="b"), named, video]
        ),
        chat_pb2.Message(role=chat_pb2.ROLE_ASSISTANT, parts=[chat_pb2.Part(text="c")]),
    ]
    assert wire.turns_from_pb(messages) == [
        Turn(Role.SYSTEM, ("a",)),
        Turn(
            Role.USER,
            (
                SentPicture(b"\0\xff"),
                "b",
                SentPicture(uri="media://a"),
                SentVideo(uri="media://b", frames_per_second=2, most_frames=9),
            ),
        ),
        Turn(Role.ASSISTANT, ("c",)),
    ]


def test_every_role_but_the_unspecified_is_read() -> None:
    for number in set(chat_pb2.Role.values()) - {chat_pb2.ROLE_UNSPECIFIED}:
        wire.turns_from_pb([chat_pb2.Message(role=number)])


def test_sampling_that_is_left_out_stays_open_and_zeros_do_not() -> None:
    assert wire.sampling_from_pb(chat_pb2.Sampling()) == Sampling()
    said = chat_pb2.Sampling(max_tokens=3, temperature=0, top_p=0.5, seed=0, stop=["x"])
    assert wire.sampling_from_pb(said) == Sampling(3, 0.0, 0.5, 0, ("x",))


def test_a_model_is_written_with_its_notice() -> None:
    written = wire.model_to_pb(
        ServedModel(ModelInfo("m", 4096), Capabilities(), ready=True, notice="n")
    )
    assert (written.name, written.engine, written.ready) == ("m", "openai", True)
    assert (written.context_tokens, written.notice) == (4096, "n")


@pytest.mark.parametrize("reason", FinishReason)
def test_every_finish_reason_is_written(reason: FinishReason) -> None:
    name = chat_pb2.FinishReason.Name(wire.finish_reason_to_pb(reason))
    assert name == f"FINISH_REASON_{reason.name.replace('UNKNOWN', 'UNSPECIFIED')}"


def test_a_cost_is_written_with_its_time() -> None:
    written = wire.usage_to_pb(5, 2, timedelta(seconds=1.5))
    assert (written.input_tokens, written.output_tokens) == (5, 2)
    assert written.processing_time.ToTimedelta() == timedelta(seconds=1.5)


@pytest.mark.parametrize(
    "response", [vision_pb.GenerateStreamResponse, reasoning_pb.GenerateStreamResponse]
)
def test_the_last_piece_alone_is_written_with_its_cost(response: type) -> None:
    took = timedelta(seconds=1.5)
    assert wire.piece_to_pb(response, Piece(Delta("a"), took)) == response(delta="a")
    written = wire.piece_to_pb(response, Piece(Delta("", FinishReason.LENGTH, 5, 2, "m"), took))
    assert (written.delta, written.model) == ("", "m")
    assert written.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    assert (written.usage.input_tokens, written.usage.output_tokens) == (5, 2)
    assert written.usage.processing_time.ToTimedelta() == took
