"""The models of the rooms as OpenAI's clients list them, and which room is meant by a name."""

from collections.abc import Generator
from typing import Any, Final, Literal

from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.types.v1 import model_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from pydantic import BaseModel

from gateway.bridge.answers import json_response
from gateway.bridge.exchange import Ask, Conversation, Request
from services.chassis import errors

VISION, REASONING, AUDIO = "VisionService", "ReasoningService", "AudioService"
_QUESTIONS: Final = {
    VISION: vision_pb.GetModelRequest(),
    REASONING: reasoning_pb.GetModelRequest(),
    AUDIO: audio_pb.GetModelRequest(),
}
DEFAULT: Final = "default"
"""Stands for whatever model a room has."""
ALIASES: Final = {
    AUDIO: (
        "whisper-1",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-transcribe-diarize",
    )
}
"""Names that clients have written into them."""


class Model(BaseModel):
    """A model; `created` is unknown, `room` what it is for, `ready` whether it can answer now."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    room: Literal["vision", "reasoning", "audio"]
    ready: bool


class Models(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


_ROOMS: Final[dict[str, Literal["vision", "reasoning", "audio"]]] = {
    VISION: "vision",
    REASONING: "reasoning",
    AUDIO: "audio",
}


def models(request: Request) -> Conversation:
    """List the models of the rooms; those of rooms that are down are left out."""
    return json_response(Models(data=(yield from _served())).model_dump())


def model(request: Request) -> Conversation:
    """Tell of one model."""
    name = request.path["model"]
    for served in (yield from _served()):
        if served.id == name:
            return json_response(served.model_dump())
    raise missing(name)


def choose(name: str, *services: str) -> Generator[Ask, Any, tuple[str, str]]:
    """The first of some services whose model has this name, and the model's own name.

    `default` and the names that clients have written into them mean the first service. Raises
    `NotFound` where none has it.
    """
    if name == DEFAULT or name in ALIASES.get(services[0], ()):
        return services[0], (yield from _model(services[0])).name
    down: errors.MeshError | None = None
    for service in services:
        try:
            known = yield from _model(service)
        except (errors.Unavailable, errors.TimedOut) as failed:
            down = failed
            continue
        if known.name == name:
            return service, known.name
    if down is not None:
        raise down
    raise missing(name)


def missing(name: str) -> errors.NotFound:
    """The error of a name that no model has."""
    shown = name if len(name) <= _SHOWN and name.isprintable() else "of this name"
    return errors.NotFound(
        f"the model '{shown}' does not exist",
        remedy=f"GET /v1/models lists those that do; '{DEFAULT}' is the one that fits",
        code="MODEL_NOT_FOUND",
        violations=[errors.Violation("model", "does not exist")],
    )


_SHOWN: Final = 128


def _served() -> Generator[Ask, Any, list[Model]]:
    found: dict[str, Model] = {}
    for service, room in _ROOMS.items():
        try:
            known = yield from _model(service)
        except (errors.Unavailable, errors.TimedOut):
            continue
        # One engine may serve two rooms.
        found.setdefault(
            known.name,
            Model(id=known.name, owned_by=known.engine, room=room, ready=known.ready),
        )
    return list(found.values())


def _model(service: str) -> Generator[Ask, Any, model_pb2.Model]:
    told = yield Ask(service, "GetModel", _QUESTIONS[service])
    known: model_pb2.Model = told.model
    return known
