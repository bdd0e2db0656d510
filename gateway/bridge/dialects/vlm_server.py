"""The calls of vlm_server: a conversation of text and pictures at `/api/v1/generate`, errors as
`{"detail"}`. Its `/health` serves the clients of caption_queue too: it has the keys of both, with
null for what the mesh does not know.

Pictures are data URLs or bare base64. No address is fetched and no file opened: what vlm_server
opened for whoever named it is refused until the mesh can do so safely.
"""

import re
from typing import Annotated, Any, Final, Literal, assert_never

from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel, Field

from gateway.bridge.answers import json_response
from gateway.bridge.dialects import fastapi
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Response, Route
from gateway.bridge.pictures import picture_from_text
from services.chassis import errors

_ROLES: Final = {
    "system": chat_pb2.ROLE_SYSTEM,
    "user": chat_pb2.ROLE_USER,
    "assistant": chat_pb2.ROLE_ASSISTANT,
}
_SENDABLE: Final = (
    "send the picture itself, as a data URL or base64: this version fetches no address and opens no"
    " file"
)
_PART: Final = re.compile(r"\bmessages\[(\d+)\]\.parts\[(\d+)\]")


class _Text(BaseModel):
    type: Literal["text"]
    text: str = Field(min_length=1)


class _Image(BaseModel):
    type: Literal["image"]
    image: str


class _Video(BaseModel):
    type: Literal["video"]
    video: Any = None


_Piece = Annotated[_Text | _Image | _Video, Field(discriminator="type")]


# A million mistakes in one body would take gigabytes to tell of: the first of a list is enough.
_Pieces = Annotated[list[_Piece], Field(min_length=1, max_length=128, fail_fast=True)]


class _Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)] | _Pieces


class _Generation(BaseModel):
    messages: list[_Message] = Field(min_length=1, max_length=256, fail_fast=True)
    max_new_tokens: fastapi.MaxTokens = 512
    temperature: fastapi.Temperature = 0.7
    top_p: fastapi.TopP = 0.9


def generate(request: Request) -> Conversation:
    """Answer a conversation."""
    sent = fastapi.body_of(_Generation, request)
    asked = pb.GenerateRequest(
        messages=[_message_to_pb(it, f"messages[{i}]") for i, it in enumerate(sent.messages)],
        sampling=chat_pb2.Sampling(
            max_tokens=sent.max_new_tokens, temperature=sent.temperature, top_p=sent.top_p
        ),
    )
    told: pb.GenerateResponse = yield Ask("VisionService", "Generate", asked)
    read, written = told.usage.input_tokens, told.usage.output_tokens
    return json_response(
        {
            "response": told.text,
            "usage": {
                "input_tokens": read,
                "output_tokens": written,
                "total_tokens": read + written,
            },
            "processing_time": told.usage.processing_time.ToTimedelta().total_seconds(),
        }
    )


def health(request: Request) -> Conversation:
    """Tell whether the model can answer; the status is 200 even while it cannot."""
    try:
        told: pb.GetModelResponse = yield Ask("VisionService", "GetModel", pb.GetModelRequest())
        ready = told.model.ready
    except (errors.Unavailable, errors.TimedOut):
        ready = False
    return json_response(
        {
            "status": "healthy" if ready else "unhealthy",
            "model_loaded": ready,
            "device": None,
            "gpu_available": None,
            "memory_usage": None,
        }
    )


def memory(request: Request) -> Conversation:
    """Say that the engine's memory is neither told nor cleared yet."""
    raise errors.Unimplemented(
        "the engine's memory is neither told nor cleared yet", remedy="use the engine's own tools"
    )


def refuse(error: errors.MeshError) -> Response:
    """Tell of an error in the words of vlm_server's requests."""
    told = _PART.sub(r"messages[\1].content[\2]", str(error)).replace("ROLE_USER", "user")
    if isinstance(error, errors.Unavailable):
        told = f"Model not loaded: {told}"
    return fastapi.refuse(error, told)


def _message_to_pb(message: _Message, path: str) -> chat_pb2.Message:
    content = message.content
    parts = [_Text(type="text", text=content)] if isinstance(content, str) else content
    return chat_pb2.Message(
        role=_ROLES[message.role],
        parts=[_part_to_pb(it, f"{path}.content[{i}]") for i, it in enumerate(parts)],
    )


def _part_to_pb(part: _Text | _Image | _Video, path: str) -> chat_pb2.Part:
    match part:
        case _Text(text=text):
            return chat_pb2.Part(text=text)
        case _Image(image=image):
            data = picture_from_text(image, f"{path}.image", remedy=_SENDABLE)
            return chat_pb2.Part(image=image_pb2.Image(data=data))
        case _Video():
            raise errors.InvalidInput.field(
                f"{path}.video",
                "this version sees no video",
                remedy="send its frames as images, as data URLs or base64",
            )
        case _:
            assert_never(part)


DIALECT: Final = Dialect(
    routes=(
        Route("POST", "/api/v1/generate", generate),
        Route("GET", "/health", health),
        Route("GET", "/vram_status", memory),
        Route("POST", "/clear_vram", memory),
    ),
    refuse=refuse,
    cors=fastapi.CORS,
)
