"""The vision calls of the Local Models API: one frame in, its description out. Errors are
`{"detail"}`, and a picture that cannot be decoded is told as one, which there was an error 500.
"""

import base64
import binascii
from typing import Final

from mesh.types.v1 import image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel

from gateway.bridge.answers import json_response
from gateway.bridge.dialects import fastapi
from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Route
from services.chassis.errors import InvalidInput


class _Frame(BaseModel):
    image_b64: str
    session_id: str | None = None


def frame(request: Request) -> Conversation:
    """Describe a frame that is a file."""
    data = fastapi.file_of(request)
    # A field that a browser leaves empty is one that is not there.
    session = request.form.get("session_id", b"").decode(errors="replace") or None
    return (yield from _describe(data, session))


def frame_b64(request: Request) -> Conversation:
    """Describe a frame that is base64, without the prefix of a data URL."""
    sent = fastapi.body_of(_Frame, request)
    try:
        data = base64.b64decode(sent.image_b64, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise InvalidInput("invalid image_b64")
    return (yield from _describe(data, sent.session_id))


def _describe(data: bytes, session: str | None) -> Conversation:
    asked = pb.DescribeRequest(image=image_pb2.Image(data=data))
    told: pb.DescribeResponse = yield Ask("VisionService", "Describe", asked)
    return json_response(
        {
            "description": told.description,
            "session_id": session,
            "width": told.width,
            "height": told.height,
        }
    )


DIALECT: Final = Dialect(
    routes=(
        Route("POST", "/vision/frame", frame, takes_form=True),
        Route("POST", "/vision/frame_b64", frame_b64),
    ),
    refuse=fastapi.refuse,
)
