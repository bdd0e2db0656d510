"""The events that a client of OpenAI's realtime transcription sends."""

import json
from typing import Annotated, Literal

import pybase64
from pydantic import Field, RootModel

from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects.openai_realtime_shapes import Update
from services.chassis import errors


class Append(wrong.Shape):
    """Audio, as base64."""

    type: Literal["input_audio_buffer.append"]
    event_id: str | None = None
    audio: str


class Commit(wrong.Shape):
    """The end of a turn."""

    type: Literal["input_audio_buffer.commit"]
    event_id: str | None = None


class Clear(wrong.Shape):
    """What was sent of the turn is not to be heard."""

    type: Literal["input_audio_buffer.clear"]
    event_id: str | None = None


Sent = Append | Commit | Clear | Update


class _Event(RootModel[Annotated[Sent, Field(discriminator="type")]]):
    """Any of them."""


def read(text: str) -> Sent:
    """Read an event. Raises `InvalidInput`."""
    return wrong.read(_Event, text).root


def decoded(audio: str) -> bytes:
    """Read the audio of an event. Raises `InvalidInput`."""
    try:
        return pybase64.b64decode(audio, validate=True)
    except ValueError:
        raise errors.InvalidInput.field("audio", "is no base64", code="INVALID_VALUE") from None


def name_of(text: str) -> str | None:
    """What the client calls an event, if it can be told."""
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        return None
    named = sent.get("event_id") if isinstance(sent, dict) else None
    return named if isinstance(named, str) else None
