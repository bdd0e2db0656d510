"""Between the contract and the words of the vision room. Total, and without I/O."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from mesh.types.v1 import chat_pb2, model_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from services.engine.domain import Answer, FinishReason, Role, Sampling, ServedModel, Turn
from services.vision.domain import Description, Generated

_ROLES: Final = {
    chat_pb2.ROLE_SYSTEM: Role.SYSTEM,
    chat_pb2.ROLE_USER: Role.USER,
    chat_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
}
_FINISH_REASONS: Final = {
    FinishReason.UNKNOWN: chat_pb2.FINISH_REASON_UNSPECIFIED,
    FinishReason.STOP: chat_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: chat_pb2.FINISH_REASON_LENGTH,
}


def turns_from_pb(messages: Iterable[chat_pb2.Message]) -> list[Turn]:
    """Read a conversation whose messages the contract's rules have let through."""
    return [Turn(_ROLES[it.role], tuple(map(_part_from_pb, it.parts))) for it in messages]


def _part_from_pb(part: chat_pb2.Part) -> str | bytes:
    return part.image.data if part.WhichOneof("content") == "image" else part.text


def sampling_from_pb(sampling: chat_pb2.Sampling) -> Sampling:
    """Read how an answer shall be drawn; what is left out stays open."""
    return Sampling(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature if sampling.HasField("temperature") else None,
        top_p=sampling.top_p if sampling.HasField("top_p") else None,
        seed=sampling.seed if sampling.HasField("seed") else None,
        stop=tuple(sampling.stop),
    )


def generated_to_pb(generated: Generated) -> pb.GenerateResponse:
    """Write the answer to a conversation."""
    answer = generated.answer
    return pb.GenerateResponse(
        text=answer.text,
        finish_reason=_FINISH_REASONS[answer.finish_reason],
        usage=_usage_to_pb(answer, generated.processing_time),
        model=answer.model,
    )


def description_to_pb(description: Description) -> pb.DescribeResponse:
    """Write a picture in words."""
    answer = description.answer
    return pb.DescribeResponse(
        description=answer.text,
        width=description.width,
        height=description.height,
        usage=_usage_to_pb(answer, description.processing_time),
        model=answer.model,
    )


def upload_description_to_pb(description: Description) -> pb.DescribeUploadResponse:
    """Write an uploaded picture in words."""
    answer = description.answer
    return pb.DescribeUploadResponse(
        description=answer.text,
        width=description.width,
        height=description.height,
        usage=_usage_to_pb(answer, description.processing_time),
        model=answer.model,
    )


def model_to_pb(model: ServedModel) -> model_pb2.Model:
    """Write the model of the room."""
    return model_pb2.Model(
        name=model.info.name,
        engine="openai",
        ready=model.ready,
        context_tokens=model.info.context_tokens,
        notice=model.notice,
    )


def _usage_to_pb(answer: Answer, processing_time: timedelta) -> usage_pb2.Usage:
    duration = Duration()
    duration.FromTimedelta(processing_time)
    return usage_pb2.Usage(
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        processing_time=duration,
    )
