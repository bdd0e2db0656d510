"""The HTTP calls of the Local Models API: one frame in, its description out; and what a session of
its audio socket came to. Errors are `{"detail"}`, and a picture that cannot be decoded is told as
one, which there was an error 500.

Of frames it asks what the original asks, and for an answer in its language.
"""

from typing import Final

import pybase64
from mesh.jobs.v1 import session_service_pb2
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel

from gateway.bridge.dialects import fastapi
from gateway.bridge.dialects.local_models_analysis import KeptSession, kept_session
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Route
from services.chassis.errors import InvalidInput

LANGUAGE: Final = "es"
# Short, because small models lose themselves in long questions.
PROMPT: Final = "Describe what you see, say what may be dangerous and why, and suggest what to do."


class FrameFile(fastapi.File):
    """A frame as a file."""

    session_id: str | None = None


class FrameText(BaseModel):
    """A frame as base64; `metadata` and other fields mean nothing."""

    image_b64: str
    session_id: str | None = None


class Described(BaseModel):
    """What a frame shows."""

    description: str
    session_id: str | None
    width: int
    height: int


def frame(request: Request) -> Conversation:
    """Describe a frame that is a file."""
    sent = fastapi.form_of(FrameFile, request)
    # A field that a browser leaves empty is one that is not there.
    return (yield from _describe(sent.file, sent.session_id or None))


def frame_b64(request: Request) -> Conversation:
    """Describe a frame that is base64, without the prefix of a data URL."""
    sent = fastapi.body_of(FrameText, request)
    try:
        data = pybase64.b64decode(sent.image_b64, validate=True)
    except ValueError:
        data = b""
    if not data:
        raise InvalidInput("invalid image_b64")
    return (yield from _describe(data, sent.session_id))


def session(request: Request) -> Conversation:
    """Tell what a session of `/ws/audio` came to; of several with the same id, the newest."""
    asked = session_service_pb2.GetSessionRequest(session_id=request.path["session_id"])
    told = yield Ask("SessionService", "GetSession", asked)
    return fastapi.told(kept_session(told.session))


def _describe(data: bytes, session: str | None) -> Conversation:
    image = image_pb2.Image(data=data)
    asked = pb.DescribeRequest(image=image, prompt=PROMPT, language=LANGUAGE)
    told: pb.DescribeResponse = yield Ask("VisionService", "Describe", asked)
    return fastapi.told(
        Described(
            description=told.description,
            session_id=session,
            width=told.width,
            height=told.height,
        )
    )


DIALECT: Final = Dialect(
    name="Local Models API",
    routes=(
        Route("POST", "/vision/frame", frame, told=Described, form=FrameFile, changes=False),
        Route(
            "POST", "/vision/frame_b64", frame_b64, told=Described, body=FrameText, changes=False
        ),
        Route("GET", "/sessions/{session_id}", session, told=KeptSession),
    ),
    refuse=fastapi.refuse,
    refusal=fastapi.Refusal,
)
