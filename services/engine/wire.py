"""Between the contract's common words and those of a chat: what the rooms that chat share of their
translation. Total, and without I/O. The one module of this package that knows the contract.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from mesh.types.v1 import chat_pb2, image_pb2, model_pb2, usage_pb2, video_pb2

from services.engine.domain import (
    FinishReason,
    Piece,
    Role,
    Sampling,
    SentPart,
    SentPicture,
    SentVideo,
    ServedModel,
    Turn,
)

Response = TypeVar("Response")

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


def _part_from_pb(part: chat_pb2.Part) -> SentPart:
    match part.WhichOneof("content"):
        case "image":
            return picture_from_pb(part.image)
        case "video":
            return _video_from_pb(part.video)
        case _:
            return part.text


def picture_from_pb(image: image_pb2.Image) -> SentPicture:
    """Read a picture that nobody has looked at."""
    return SentPicture(image.data, image.uri)


def _video_from_pb(video: video_pb2.Video) -> SentVideo:
    return SentVideo(
        video.data,
        video.uri,
        frames_per_second=video.frames_per_second,
        most_frames=video.max_frames,
    )


def sampling_from_pb(sampling: chat_pb2.Sampling) -> Sampling:
    """Read how an answer shall be drawn; what is left out stays open."""
    return Sampling(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature if sampling.HasField("temperature") else None,
        top_p=sampling.top_p if sampling.HasField("top_p") else None,
        seed=sampling.seed if sampling.HasField("seed") else None,
        stop=tuple(sampling.stop),
    )


def finish_reason_to_pb(reason: FinishReason) -> chat_pb2.FinishReason:
    """Write why a model stopped."""
    return _FINISH_REASONS[reason]


def usage_to_pb(
    input_tokens: int, output_tokens: int, processing_time: timedelta
) -> usage_pb2.Usage:
    """Write what an answer cost."""
    duration = Duration()
    duration.FromTimedelta(processing_time)
    return usage_pb2.Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, processing_time=duration
    )


def piece_to_pb(response: Callable[..., Response], piece: Piece) -> Response:
    """Write a piece of an answer as a room's own response, whose fields are alike in every room."""
    delta = piece.delta
    if delta.finish_reason is None:
        return response(delta=delta.text)
    return response(
        delta=delta.text,
        finish_reason=finish_reason_to_pb(delta.finish_reason),
        usage=usage_to_pb(delta.input_tokens, delta.output_tokens, piece.processing_time),
        model=delta.model,
    )


def model_to_pb(model: ServedModel) -> model_pb2.Model:
    """Write the model of a room."""
    return model_pb2.Model(
        name=model.info.name,
        engine=model.can.kind.value,
        ready=model.ready,
        context_tokens=model.info.context_tokens,
        notice=model.notice,
        native_video=model.can.clips != 0,
        structured_output=bool(model.can.schema),
        max_images=model.can.pictures or 0,
    )
