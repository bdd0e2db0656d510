"""The synchronous calls of the caption queue API (Moondream2): a picture in, words out, errors as
`{"detail"}`. A bad picture is told as one, which there was an error 500.

Its clients expect a `confidence`, which is the original's constant: no model of the mesh says how
sure it is. What the mesh does not know of its model is null. The queue itself is not served yet.
"""

from typing import Any, Final, Literal

from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel, Field

from gateway.bridge.answers import json_response
from gateway.bridge.dialects import fastapi
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Response, Route
from gateway.bridge.pictures import picture_from_text
from services.chassis.errors import MeshError

CONFIDENCE: Final = 0.85
PROMPT: Final = "Describe what you see in this image"
SHORT_PROMPT: Final = "Describe this image in one short sentence."

_SENDABLE: Final = "send the picture as base64 or as a data URL"
_PATH: Final = "messages[0].parts[0].image"


class _Wanted(BaseModel):
    prompt: str = Field(default=PROMPT, min_length=1)
    max_tokens: fastapi.MaxTokens = 512
    temperature: fastapi.Temperature = 0.7
    top_p: fastapi.TopP = 0.9


class _Picture(_Wanted):
    image: str
    prompt: str = Field(min_length=1)


class _Caption(BaseModel):
    length: Literal["short", "normal"] = "normal"


def describe(request: Request) -> Conversation:
    """Answer a prompt about a picture in JSON."""
    sent = fastapi.body_of(_Picture, request)
    data = picture_from_text(sent.image, "image", remedy=_SENDABLE)
    return (yield from _describe(data, sent))


def describe_file(request: Request) -> Conversation:
    """Answer a prompt, which stands in the query, about a file."""
    return (yield from _describe(fastapi.file_of(request), fastapi.query_of(_Wanted, request)))


def caption(request: Request) -> Conversation:
    """Write a caption under a file."""
    data, length = fastapi.file_of(request), fastapi.query_of(_Caption, request).length
    prompt = SHORT_PROMPT if length == "short" else ""
    asked = pb.DescribeRequest(image=image_pb2.Image(data=data), prompt=prompt)
    told: pb.DescribeResponse = yield Ask("VisionService", "Describe", asked)
    return json_response(
        {
            "caption": told.description,
            "length": length,
            "processing_time": _seconds(told),
            "model_info": _model(told.model),
        }
    )


def model(request: Request) -> Conversation:
    """Tell which model answers."""
    told: pb.GetModelResponse = yield Ask("VisionService", "GetModel", pb.GetModelRequest())
    return json_response(
        {
            "model_name": told.model.name,
            "model_type": "vision-language model",
            "model_id": told.model.name,
            "revision": None,
            "device": None,
            "gpu_available": None,
            "memory_usage": None,
            "gpu_memory": None,
            "queue_enabled": False,
            "queue_workers": 0,
            "model_loaded": told.model.ready,
        }
    )


def refuse(error: MeshError) -> Response:
    """Tell of an error in the words of the caption queue's requests."""
    return fastapi.refuse(error, str(error).replace(_PATH, "image"))


def _describe(data: bytes, wanted: _Wanted) -> Conversation:
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
    sampled = {"max_tokens": wanted.max_tokens, "temperature": wanted.temperature}
    return json_response(
        {
            "description": told.text,
            "confidence": CONFIDENCE,
            "processing_time": _seconds(told),
            "model_info": _model(told.model) | sampled,
        }
    )


def _model(name: str) -> dict[str, Any]:
    return {"model": name, "model_id": name, "revision": None, "device": None}


def _seconds(told: pb.GenerateResponse | pb.DescribeResponse) -> float:
    return told.usage.processing_time.ToTimedelta().total_seconds()


DIALECT: Final = Dialect(
    routes=(
        Route("POST", "/describe", describe),
        Route("POST", "/describe/file", describe_file, takes_form=True),
        Route("POST", "/caption", caption, takes_form=True),
        Route("GET", "/model/info", model),
    ),
    refuse=refuse,
    cors=fastapi.CORS,
)
