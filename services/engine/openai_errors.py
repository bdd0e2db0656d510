"""What an OpenAI-compatible engine refuses, and how its connections fail, in the mesh's own errors.

Nothing of what the engine wrote crosses over: it may repeat the prompt or name an address of the
inside.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
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


def cut_short() -> Unavailable:
    """The error of an answer that ends before it is whole."""
    return Unavailable("the engine broke off its answer", retry_after=_SOON)


def not_the_protocol() -> Internal:
    """The error of an engine that does not speak as it should."""
    return Internal(
        "the engine's answer is not of the OpenAI chat protocol",
        remedy="check that the room's engine address ends in the API's base, such as /v1",
        code="ENGINE_PROTOCOL",
    )


def _refused_request(body: bytes) -> MeshError:
    if _is_context_exceeded(body):
        return InvalidInput(
            "the conversation is longer than the model's context",
            remedy="send fewer or smaller pictures, less text, or ask for fewer tokens",
            code="CONTEXT_EXCEEDED",
        )
    return InvalidInput(
        "the engine does not take this request",
        remedy="send what its model can read: fewer pictures, or a simpler JSON schema",
        code="ENGINE_REFUSED",
    )


# llama.cpp names the error's type, OpenAI its code, vLLM only says so in words.
_CONTEXT_SIGNS: Final = (
    "exceed_context_size",
    "context_length_exceeded",
    "maximum context length",
    "maximum model length",
)


def _is_context_exceeded(body: bytes) -> bool:
    text = body.decode(errors="replace").lower()
    return any(sign in text for sign in _CONTEXT_SIGNS)


def _retry_after(headers: Mapping[str, str]) -> timedelta:
    said = headers.get("Retry-After", "")
    # The other form that RFC 9110 allows, a date, is used by no engine.
    if said.isascii() and said.isdigit():
        return min(timedelta(seconds=int(said[:9])), _LATEST)
    return _SOON
