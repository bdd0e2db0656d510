"""The calls of vlm_server: a conversation of text, pictures and videos at `/api/v1/generate`, the
memory of the device, errors as `{"detail"}`. `/` and `/health` are in `front`.

What vlm_server opened for whoever named it, the vision room opens within its bounds: addresses that
are public, and files under the root that its operator has opened.
"""

import re
from typing import Annotated, Final, Literal

from mesh.types.v1 import chat_pb2, image_pb2, video_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel, Field

from gateway.bridge.dialects import fastapi, hardware
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Response, Route
from gateway.bridge.pictures import source_from_text
from services.chassis import errors

_ROLES: Final = {
    "system": chat_pb2.ROLE_SYSTEM,
    "user": chat_pb2.ROLE_USER,
    "assistant": chat_pb2.ROLE_ASSISTANT,
}
_PART: Final = re.compile(r"\bmessages\[(\d+)\]\.parts\[(\d+)\]")
_SOURCE: Final = re.compile(r"\.(image|video)\.(?:data|uri)\b")


class Item(BaseModel):
    """A piece of a message: the field that is named after its type counts."""

    type: str = Field(description="`text`, `image` or `video`")
    text: str | None = None
    image: str | None = Field(
        default=None, description="base64, a data URL, an address or a file's path"
    )
    video: str | None = Field(default=None, description="as `image`")


# A million mistakes in one body would take gigabytes to tell of: the first of a list is enough.
_Items = Annotated[list[Item], Field(min_length=1, max_length=128, fail_fast=True)]


class Message(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)] | _Items


class Generation(BaseModel):
    """A conversation to answer."""

    messages: list[Message] = Field(min_length=1, max_length=256, fail_fast=True)
    max_new_tokens: fastapi.MaxTokens = 512
    temperature: fastapi.Temperature = 0.7
    top_p: fastapi.TopP = 0.9


class Usage(BaseModel):
    """What an answer cost in tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Generated(BaseModel):
    """An answer; its time is in seconds."""

    response: str
    usage: Usage
    processing_time: float


class Cleared(BaseModel):
    """What the engine dropped, and the memory after it."""

    status: str = "success"
    released: list[str]
    vram_status: hardware.Vram


def generate(request: Request) -> Conversation:
    """Answer a conversation."""
    sent = fastapi.body_of(Generation, request)
    asked = pb.GenerateRequest(
        messages=[_message_to_pb(it, f"messages[{i}]") for i, it in enumerate(sent.messages)],
        sampling=chat_pb2.Sampling(
            max_tokens=sent.max_new_tokens, temperature=sent.temperature, top_p=sent.top_p
        ),
    )
    told: pb.GenerateResponse = yield Ask("VisionService", "Generate", asked)
    read, written = told.usage.input_tokens, told.usage.output_tokens
    return fastapi.told(
        Generated(
            response=told.text,
            usage=Usage(input_tokens=read, output_tokens=written, total_tokens=read + written),
            processing_time=told.usage.processing_time.ToTimedelta().total_seconds(),
        )
    )


def vram_status(request: Request) -> Conversation:
    """Tell how the device's memory is used; what cannot be told is null."""
    told: pb.GetDeviceResponse = yield Ask("VisionService", "GetDevice", pb.GetDeviceRequest())
    return fastapi.told(hardware.vram(told))


def clear_vram(request: Request) -> Conversation:
    """Ask the engine to drop its caches; answers in flight are not harmed."""
    asked = Ask("VisionService", "ReleaseMemory", pb.ReleaseMemoryRequest())
    dropped: pb.ReleaseMemoryResponse = yield asked
    known = yield from hardware.ask()
    return fastapi.told(Cleared(released=list(dropped.released), vram_status=hardware.vram(known)))


def refuse(error: errors.MeshError) -> Response:
    """Tell of an error in the words of vlm_server's requests."""
    told = _PART.sub(r"messages[\1].content[\2]", str(error)).replace("ROLE_USER", "user")
    told = _SOURCE.sub(r".\1", told)
    # Of what the request itself names and cannot be had, a field is told.
    if isinstance(error, errors.Unavailable) and not error.violations:
        told = f"Model not loaded: {told}"
    return fastapi.refuse(error, told)


def _message_to_pb(message: Message, path: str) -> chat_pb2.Message:
    content = message.content
    items = [Item(type="text", text=content)] if isinstance(content, str) else content
    return chat_pb2.Message(
        role=_ROLES[message.role],
        parts=[_part_to_pb(it, f"{path}.content[{i}]") for i, it in enumerate(items)],
    )


def _part_to_pb(item: Item, path: str) -> chat_pb2.Part:
    match item.type:
        case "text":
            return chat_pb2.Part(text=_given(item.text, f"{path}.text"))
        case "image":
            at = f"{path}.image"
            return chat_pb2.Part(
                image=image_pb2.Image(**source_from_text(_given(item.image, at), at))
            )
        case "video":
            at = f"{path}.video"
            return chat_pb2.Part(
                video=video_pb2.Video(**source_from_text(_given(item.video, at), at))
            )
        case _:
            raise errors.InvalidInput.field(
                f"{path}.type", "is not known here", remedy="use text, image or video"
            )


def _given(text: str | None, path: str) -> str:
    if not text:
        raise errors.InvalidInput.field(
            path, "is missing or empty", remedy="an item holds the field that its type names"
        )
    return text


DIALECT: Final = Dialect(
    name="vlm_server",
    routes=(
        Route("POST", "/api/v1/generate", generate, told=Generated, body=Generation, changes=False),
        Route("GET", "/vram_status", vram_status, told=hardware.Vram),
        Route("POST", "/clear_vram", clear_vram, told=Cleared),
    ),
    refuse=refuse,
    refusal=fastapi.Refusal,
)
