"""The two addresses that vlm_server and the caption queue both have, `/` and `/health`: each
answers with the keys of both, so that the clients of either find theirs.
"""

from datetime import timedelta
from typing import Final

from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel

from gateway.bridge.dialects import fastapi, hardware
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Route
from services.chassis import errors

VERSION: Final = "2.0.0"
"""The version of the caption queue's API that its clients know."""

SOON: Final = timedelta(seconds=3)
"""How long either may take: whoever asks for health does not wait for an engine that stands still.
"""


class Endpoints(BaseModel):
    """Where vlm_server's calls are."""

    generate: str = "/api/v1/generate"
    health: str = "/health"
    vram_status: str = "/vram_status"


class Service(BaseModel):
    """What answers here."""

    service: str = "Sensorium"
    message: str = "Sensorium: a mesh that sees, hears and reasons"
    model: str | None
    status: str = "running"
    version: str = VERSION
    docs: str = "/docs"
    queue_status: str = "active"
    endpoints: Endpoints = Endpoints()


class Health(BaseModel):
    """Whether the model can answer, and what it runs on."""

    status: str
    model_loaded: bool
    device: str | None
    gpu_available: bool | None
    memory_usage: hardware.MemoryUsage | None


def service(request: Request) -> Conversation:
    """Tell what answers here; the model is null while its room is down."""
    try:
        told: pb.GetModelResponse = yield Ask("VisionService", "GetModel", pb.GetModelRequest())
        model = told.model.name
    except (errors.Unavailable, errors.TimedOut):
        model = None
    return fastapi.told(Service(model=model))


def health(request: Request) -> Conversation:
    """Tell whether the model can answer; the status is 200 even while it cannot."""
    try:
        told: pb.GetModelResponse = yield Ask("VisionService", "GetModel", pb.GetModelRequest())
        ready, known = told.model.ready, (yield from hardware.ask())
    except (errors.Unavailable, errors.TimedOut):
        ready, known = False, pb.GetDeviceResponse()
    return fastapi.told(
        Health(
            status="healthy" if ready else "unhealthy",
            model_loaded=ready,
            device=hardware.kind(known),
            gpu_available=hardware.has_gpu(known),
            memory_usage=hardware.memory_usage(known),
        )
    )


DIALECT: Final = Dialect(
    name="vlm_server and the caption queue",
    routes=(
        Route("GET", "/", service, told=Service, lasts=SOON),
        Route("GET", "/health", health, told=Health, lasts=SOON),
    ),
    refuse=fastapi.refuse,
    refusal=fastapi.Refusal,
)
