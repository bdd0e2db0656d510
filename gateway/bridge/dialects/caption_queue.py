"""The caption queue API (Moondream2): a picture in, words out, at once or by way of its queue (in
`caption_queue_jobs`), errors as `{"detail"}`. A bad picture is told as one, which there was an
error 500. `/` and `/health` are in `front`.

Its clients expect a `confidence`, which is the original's constant: no model of the mesh says how
sure it is. What the mesh does not know of its model is null.
"""

from dataclasses import replace
from functools import partial
from typing import Final, Literal

from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel, Field

from gateway.bridge.answers import renamed
from gateway.bridge.dialects import caption_queue_jobs, fastapi, hardware
from gateway.bridge.dialects.caption_queue_jobs import PROMPT, SENDABLE
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Response, Route
from gateway.bridge.pictures import picture_from_text
from services.chassis.errors import MeshError

CONFIDENCE: Final = 0.85

_FIELDS: Final = {
    "messages[0].parts[0].image.data": "image",
    "messages[0].parts[0].image": "image",
    "messages[0].parts[1].text": "prompt",
    "input.caption_v1.images[0].data": "image_data",
    "input.caption_v1.images[0]": "image_data",
    "input.caption_v1.prompt": "prompt",
    "webhook.url": "webhook_url",
}
"""What the queue's clients call the fields that a room's message names."""
_LENGTHS: Final = {
    "short": pb.DESCRIPTION_LENGTH_SHORT,
    "normal": pb.DESCRIPTION_LENGTH_NORMAL,
}


class Wanted(BaseModel):
    """What to ask of a picture."""

    prompt: str = Field(default=PROMPT, min_length=1)
    max_tokens: fastapi.MaxTokens = 512
    temperature: fastapi.Temperature = 0.7
    top_p: fastapi.TopP = 0.9


class Picture(Wanted):
    """A picture, and what to ask of it."""

    image: str = Field(description="base64 or a data URL")
    prompt: str = Field(min_length=1)


class Captioning(BaseModel):
    """How long a caption is to be."""

    length: Literal["short", "normal"] = "normal"


class Answering(BaseModel):
    """The model that answered."""

    model: str
    model_id: str
    revision: str | None = None
    device: str | None = None


class Sampled(Answering):
    """The model that answered, and how its answer was drawn."""

    max_tokens: int
    temperature: float


class Description(BaseModel):
    """What a picture shows; the time is in seconds."""

    description: str
    confidence: float = CONFIDENCE
    processing_time: float
    model_info: Sampled


class Caption(BaseModel):
    """A caption; the time is in seconds."""

    caption: str
    length: str
    processing_time: float
    model_info: Answering


class ModelInfo(BaseModel):
    """The model, what it runs on, and the queue."""

    model_name: str
    model_type: str = "vision-language model"
    model_id: str
    revision: str | None = None
    device: str | None
    gpu_available: bool | None
    memory_usage: hardware.MemoryUsage | None
    gpu_memory: hardware.GpuMemory | None
    queue_enabled: bool = True
    queue_workers: int | None
    model_loaded: bool


def describe(request: Request) -> Conversation:
    """Answer a prompt about a picture in JSON."""
    sent = fastapi.body_of(Picture, request)
    data = picture_from_text(sent.image, "image", remedy=SENDABLE)
    return (yield from _describe(data, sent))


def describe_file(request: Request) -> Conversation:
    """Answer a prompt, which stands in the query or beside the file, about a file."""
    file = fastapi.form_of(fastapi.File, request).file
    return (yield from _describe(file, _beside(Wanted, request)))


def caption(request: Request) -> Conversation:
    """Write a caption under a file."""
    file = fastapi.form_of(fastapi.File, request).file
    length = _beside(Captioning, request).length
    asked = pb.DescribeRequest(image=image_pb2.Image(data=file), length=_LENGTHS[length])
    told: pb.DescribeResponse = yield Ask("VisionService", "Describe", asked)
    return fastapi.told(
        Caption(
            caption=told.description,
            length=length,
            processing_time=_seconds(told),
            model_info=Answering(model=told.model, model_id=told.model),
        )
    )


def refuse(error: MeshError) -> Response:
    """Tell of an error in the words of the caption queue's requests."""
    return fastapi.refuse(error, renamed(str(error), _FIELDS))


def _beside(model: type[fastapi.Model], request: Request) -> fastapi.Model:
    """Read the query, where the original looks alone, and what only the form says."""
    said = {
        name: value.decode(errors="replace")
        for name, value in request.form.items()
        if name in model.model_fields and value and isinstance(value, bytes)
    }
    return fastapi.query_of(model, replace(request, query={**said, **request.query}))


def _describe(data: bytes, wanted: Wanted) -> Conversation:
    question = chat_pb2.Message(
        role=chat_pb2.ROLE_USER,
        parts=[
            chat_pb2.Part(image=image_pb2.Image(data=data)),
            chat_pb2.Part(text=wanted.prompt),
        ],
    )
    sampling = chat_pb2.Sampling(
        max_tokens=wanted.max_tokens, temperature=wanted.temperature, top_p=wanted.top_p
    )
    asked = pb.GenerateRequest(messages=[question], sampling=sampling)
    told: pb.GenerateResponse = yield Ask("VisionService", "Generate", asked)
    return fastapi.told(
        Description(
            description=told.text,
            processing_time=_seconds(told),
            model_info=Sampled(
                model=told.model,
                model_id=told.model,
                max_tokens=wanted.max_tokens,
                temperature=wanted.temperature,
            ),
        )
    )


def _seconds(told: pb.GenerateResponse | pb.DescribeResponse) -> float:
    return told.usage.processing_time.ToTimedelta().total_seconds()


def dialect(queue_workers: int | None) -> Dialect:
    """The caption queue, whose captions so many workers write at once; None: nobody says."""

    def model(request: Request) -> Conversation:
        """Tell which model answers."""
        told: pb.GetModelResponse = yield Ask("VisionService", "GetModel", pb.GetModelRequest())
        known = yield from hardware.ask()
        memory = hardware.memory_usage(known)
        return fastapi.told(
            ModelInfo(
                model_name=told.model.name,
                model_id=told.model.name,
                device=hardware.kind(known),
                gpu_available=hardware.has_gpu(known),
                memory_usage=memory,
                gpu_memory=memory.gpu if memory else None,
                queue_workers=queue_workers,
                model_loaded=told.model.ready,
            )
        )

    asking = partial(Route, "POST", changes=False)
    file = fastapi.File
    routes = (
        asking("/describe", describe, told=Description, body=Picture),
        asking("/describe/file", describe_file, told=Description, query=Wanted, form=file),
        asking("/caption", caption, told=Caption, query=Captioning, form=file),
        Route("GET", "/model/info", model, told=ModelInfo),
        *caption_queue_jobs.ROUTES,
    )
    return Dialect("caption queue", routes, refuse, fastapi.Refusal)
