"""The words in which a dialect and the server speak, without I/O: what came in, what to ask the
rooms, what goes out. It knows no HTTP library and no channel.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from google.protobuf.message import Message
from pydantic import BaseModel

from services.chassis import limits
from services.chassis.errors import InvalidInput, MeshError

BODY_TOO_LARGE: Final = "BODY_TOO_LARGE"
"""The code of the one error that HTTP tells by a status of its own, 413."""

RECORDINGS: Final = "/mesh/v1/audio:transcribeStream"
"""Where recordings of any size are taken."""


def too_large() -> InvalidInput:
    """The error of a body that is over the limit."""
    return InvalidInput(
        f"the body is over the limit of {limits.BODY_BYTES // limits.MEBIBYTE} MiB",
        remedy=f"send less at once, and a large recording to {RECORDINGS}",
        code=BODY_TOO_LARGE,
    )


@dataclass(frozen=True)
class Request:
    """An HTTP request as a dialect sees it."""

    body: bytes = b""
    path: Mapping[str, str] = field(default_factory=dict)
    """What stands where the route's path has names in braces."""
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, bytes | Sequence[bytes]] = field(default_factory=dict)
    """The fields of a multipart form, where the route takes one; then `body` is empty. Those whose
    names end in `[]` are lists.
    """


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


@dataclass(frozen=True)
class Events:
    """A response of server-sent events, written while a room answers a call that streams.

    A call that fails before anything was written is refused like any other.
    """

    ask: Ask
    """The call; of one that streams in both directions, what opens it."""
    told: Callable[[Any], bytes]
    """Writes what one of the room's answers says: nothing, where it says nothing new."""
    ended: Callable[[MeshError | None], bytes]
    """Writes the end, and what the call failed with."""
    feed: Callable[[Any], Iterable[Message]] | None = None
    """What the room is sent after one of its answers. None: the call streams one way."""


Conversation = Generator[Ask, Any, Response | Events]
"""How a dialect answers: it yields what to ask, is sent the room's response or thrown its
`MeshError`, and returns what goes out.
"""


@dataclass(frozen=True)
class Route:
    """One of a dialect's calls, and the shapes in which it is written down for people."""

    verb: str
    """The HTTP method."""
    path: str
    """The path; names in braces stand for one segment."""
    answer: Callable[[Request], Conversation]
    """Holds the conversation; its docstring says what the call does."""
    told: Any
    """The type of what it answers with, in JSON."""
    body: type[BaseModel] | None = None
    """What it takes in a JSON body. None: no such body."""
    query: type[BaseModel] | None = None
    """What it takes in the query. None: nothing."""
    form: type[BaseModel] | None = None
    """What it takes in a multipart form. None: its body is no form."""
    others: Mapping[str, Any] = field(default_factory=dict)
    """In which content types it may answer beside JSON, and the type of what stands in each."""
    lasts: timedelta = limits.UNARY_DEADLINE
    """How long an answer may take."""
    changes: bool = True
    """Whether it changes anything. What does not is given up when its client leaves."""


@dataclass(frozen=True)
class Dialect:
    """The wire protocol of one replaced system."""

    name: str
    """What the system is called."""
    routes: tuple[Route, ...]
    refuse: Callable[[MeshError], Response]
    """The dialect's own shape of an error that no conversation answered."""
    refusal: Any
    """The type of what `refuse` writes: `str` is plain text, anything else JSON."""
    under: str = ""
    """The beginning of paths that are all its own, where it refuses what it does not serve."""
