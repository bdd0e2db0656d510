"""What an engine refuses, and how its connections fail, in the mesh's own errors.

Nothing of what the engine wrote crosses over: it may repeat the prompt or name an address of the
inside.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Final

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from services.chassis.errors import (
    Exhausted,
    Internal,
    InvalidInput,
    MeshError,
    TimedOut,
    Unavailable,
)

_SOON: Final = timedelta(seconds=1)
_LATEST: Final = timedelta(hours=1)


class Media(StrEnum):
    """What an engine may take only so many of."""

    PICTURES = "pictures"
    """Pictures, a clip's frames among them where it is shown as such."""
    CLIPS = "videos"
    """Clips that it is sent whole."""


_TOO_MANY: Final = {Media.PICTURES: "TOO_MANY_IMAGES", Media.CLIPS: "TOO_MANY_VIDEOS"}


class MediaRefused(InvalidInput):
    """The engine takes at most so many pictures or clips in a request; perhaps none."""

    def __init__(self, media: Media, most: int) -> None:
        if media is Media.PICTURES and not most:
            problem, remedy = "the model does not see", "send text alone, or ask another model"
        else:
            what = media.value.removesuffix("s") if most == 1 else media.value
            problem = f"the engine takes at most {most} {what} in a request"
            remedy = "send fewer"
        super().__init__(problem, remedy=remedy, code=_TOO_MANY[media])
        self.media = media
        self.most = most


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> MeshError:
    """The error of an answer that is not 200."""
    match status:
        case 429:
            return Exhausted("the engine has too much to do", retry_after=_retry_after(headers))
        case 502 | 503 | 504:
            return Unavailable("the engine is not ready", retry_after=_retry_after(headers))
        case 400 | 413 | 422:
            return _refused_request(body)
        case 401 | 403:
            return Internal(
                "the engine refuses the mesh's key",
                remedy="set the room's engine API key",
                code="ENGINE_KEY",
            )
        case 404:
            return Internal(
                "the engine knows no such model or path",
                remedy="check the room's engine address and model",
                code="ENGINE_NOT_FOUND",
            )
        case _:
            return Internal(
                f"the engine failed with HTTP status {status}",
                remedy="the cause is in the engine's log",
                code="ENGINE_FAILED",
            )


def stream_failure(error: object, event: bytes) -> MeshError:
    """The error that an event of a stream tells of: it came after the status was sent."""
    code = error.get("code") if isinstance(error, dict) else None
    return refusal(code if isinstance(code, int) else 500, {}, event)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what the HTTP client raises in a block into errors of the family."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as cause:
        raise Unavailable("the engine cannot be reached", retry_after=_SOON) from cause
    except TimeoutError as cause:
        raise TimedOut(
            "the engine took longer than the time it was given",
            remedy="ask for fewer tokens, or set a later deadline",
        ) from cause
    except aiohttp.ClientPayloadError as cause:
        raise cut_short() from cause
    except (aiohttp.ClientConnectionError, ConnectionError) as cause:
        raise Unavailable("the engine does not answer", retry_after=_SOON) from cause
    except (aiohttp.ClientError, LineTooLong) as cause:
        raise not_the_protocol() from cause


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Raise whatever fails in a block as `Unavailable`."""
    try:
        yield
    except Unavailable:
        raise
    except MeshError as failed:
        raise Unavailable(str(failed), retry_after=failed.retry_after) from failed


def cut_short() -> Unavailable:
    """The error of an answer that ends before it is whole."""
    return Unavailable("the engine broke off its answer", retry_after=_SOON)


def not_the_protocol() -> Internal:
    """The error of an engine that does not speak as it should."""
    return Internal(
        "the engine's answer is not of the protocol that it is asked by",
        remedy="check the room's engine address, which ends in the API's base, such as /v1, where "
        "the protocol is OpenAI's",
        code="ENGINE_PROTOCOL",
    )


def _refused_request(body: bytes) -> MeshError:
    if _is_context_exceeded(body):
        return InvalidInput(
            "the conversation is longer than the model's context",
            remedy="send fewer or smaller pictures, less text, or ask for fewer tokens",
            code="CONTEXT_EXCEEDED",
        )
    message = _message(body)
    if said := _MOST_MEDIA.match(message):
        return MediaRefused(_MEDIA[said[2]], int(said[1]))
    if message.startswith(_BLIND_SIGNS):
        return MediaRefused(Media.PICTURES, 0)
    return InvalidInput(
        "the engine does not take this request",
        remedy="send what its model can read: fewer pictures, or a simpler JSON schema",
        code="ENGINE_REFUSED",
    )


# llama.cpp names the error's type, OpenAI its code; vLLM and Ollama only say so in words.
_CONTEXT_SIGNS: Final = (
    b"exceed_context_size",
    b"context_length_exceeded",
    b"maximum context length",
    b"maximum model length",
    b"exceeds the context length",
)
# As vLLM says it. Only a message that begins so is believed: further on it may repeat the prompt,
# whose author would then set a limit for everybody.
_MOST_MEDIA: Final = re.compile(r"At most (\d{1,4}) (image|video)\(s\) may be provided")
_MEDIA: Final = {"image": Media.PICTURES, "video": Media.CLIPS}
# As llama.cpp says it, and Ollama, which has llama.cpp inside.
_BLIND_SIGNS: Final = (
    "image input is not supported",
    "Multimodal data provided, but model does not support",
)


def _is_context_exceeded(body: bytes) -> bool:
    text = body.lower()
    return any(sign in text for sign in _CONTEXT_SIGNS)


def _message(body: bytes) -> str:
    """What an error says in words. Ollama wraps that of its llama.cpp once more, as a string."""
    said: object = body.decode(errors="replace")
    for _ in range(4):
        if isinstance(said, str) and said.startswith("{"):
            try:
                said = json.loads(said)
            except (ValueError, RecursionError):
                return ""
        if not isinstance(said, dict):
            break
        said = said.get("error", said.get("message"))
    return said if isinstance(said, str) else ""


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    said = headers.get("Retry-After", "")
    # The other form that RFC 9110 allows, a date, is used by no engine.
    if said.isascii() and said.isdigit():
        return min(timedelta(seconds=int(said[:9])), _LATEST)
    return _SOON
