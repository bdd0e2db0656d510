"""The words in which a dialect and the server speak, without I/O: what came in, what to ask the
rooms, what goes out. It knows no HTTP library and no channel.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from services.chassis import limits
from services.chassis.errors import InvalidInput, MeshError

BODY_TOO_LARGE: Final = "BODY_TOO_LARGE"
"""The code of the one error that HTTP tells by a status of its own, 413."""


def too_large() -> InvalidInput:
    """The error of a body that is over the limit."""
    return InvalidInput(
        f"the body is over the limit of {limits.BODY_BYTES // limits.MEBIBYTE} MiB",
        remedy="send less at once",
        code=BODY_TOO_LARGE,
    )


@dataclass(frozen=True)
class Request:
    """An HTTP request as a dialect sees it."""

    body: bytes = b""
    path: Mapping[str, str] = field(default_factory=dict)
    """What stands where the route's path has names in braces."""
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, bytes] = field(default_factory=dict)
    """The fields of a multipart form, where the route takes one; then `body` is empty."""


@dataclass(frozen=True)
class Response:
    """An HTTP response as a dialect makes it."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One unary call of the contract."""

    service: str
    """The service, such as `JobService`."""
    method: str
    """The method, such as `GetJob`."""
    request: Message


Conversation = Generator[Ask, Any, Response]
"""How a dialect answers: it yields what to ask, is sent the room's response or thrown its
`MeshError`, and returns what goes out.
"""


@dataclass(frozen=True)
class Route:
    """One of a dialect's calls."""

    verb: str
    """The HTTP method."""
    path: str
    """The path; names in braces stand for one segment."""
    answer: Callable[[Request], Conversation]
    takes_form: bool = False
    """Whether the body is a multipart form rather than bytes for the dialect to read."""


@dataclass(frozen=True)
class Dialect:
    """The wire protocol of one replaced system."""

    routes: tuple[Route, ...]
    refuse: Callable[[MeshError], Response]
    """The dialect's own shape of an error that no conversation answered."""
    cors: Mapping[str, str] = field(default_factory=dict)
    """The headers that let a browser's page of another origin call it. Empty: none may."""
