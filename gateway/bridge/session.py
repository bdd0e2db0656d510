"""The words in which a dialect's socket and the server speak, without I/O: what came from the
client or from a room goes in, what to do about it comes out. It knows no WebSocket library.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from google.protobuf.message import Message

from gateway.bridge.exchange import Ask


class Code(IntEnum):
    """Why the server closes a socket, by the codes of RFC 6455."""

    NORMAL = 1000
    """Nothing is left to say."""
    GOING_AWAY = 1001
    """The bridge ends; another one takes the client at once."""
    POLICY = 1008
    """The client is refused, and need not come again with the same key and query."""
    TOO_LARGE = 1009
    """A message was over the limit."""
    FAILED = 1011
    """Our own mistake."""
    TRY_AGAIN_LATER = 1013
    """The client did not keep up, or too much is open at once."""


@dataclass(frozen=True)
class Say:
    """A message to the client."""

    data: str | bytes
    """Text in a text frame, bytes in a binary one."""
    instead: str = ""
    """It takes the place of an unsent one that has the same mark. Empty: it takes nobody's."""


@dataclass(frozen=True)
class Ping:
    """A ping to the client."""

    data: bytes


@dataclass(frozen=True)
class Close:
    """The end of the socket, after what was said before."""

    code: Code
    reason: str


@dataclass(frozen=True)
class Listen(Ask):
    """One call of the contract whose response is a stream."""


@dataclass(frozen=True)
class Converse(Ask):
    """One call of the contract with a stream in both directions; `request` opens it."""

    keeps: int | None
    """How many of the newest that it is fed wait for the room; older ones are dropped. None: all
    wait, and who feeds it sees to it that they are not too many.
    """
    after: float = 0.0
    """How many seconds pass before it is opened."""


@dataclass(frozen=True)
class Feed:
    """The next request of the conversation under way."""

    request: Message


@dataclass(frozen=True)
class Leave:
    """The end of the call under way, whose own end is not told any more."""


Action = Say | Ping | Close | Ask | Listen | Converse | Feed | Leave
Actions = Iterable[Action]


class Session(Protocol):
    """One client's socket. Its methods say what happened and return what to do; none waits.

    It has one call under way at most.
    """

    def opened(self) -> Actions:
        """Take note that the socket is open."""
        return ()

    def text(self, text: str) -> Actions:
        """Take a text message."""

    def binary(self, data: bytes) -> Actions:
        """Take a binary message."""

    def told(self, answer: Any) -> Actions:
        """Take a response of the call under way."""

    def ended(self, error: Exception | None) -> Actions:
        """Take note that the call under way has ended, with a `MeshError` where it failed."""

    def ticked(self) -> Actions:
        """Take note that nothing came for as long as `patience` says."""

    def shed(self) -> Actions:
        """Let go of what can be done without: too much is held by all sockets."""
        return ()

    @property
    def held(self) -> int:
        """How many bytes wait here that the client has sent."""
        return 0

    def left(self) -> Actions:
        """Take note that the client is gone. The call under way may go on for a short while, to
        get rid of what the client had sent; what is said is heard by nobody.
        """
        return (Leave(),)

    @property
    def patience(self) -> float | None:
        """How many seconds may pass without a message before `ticked` is told. None: any."""

    @property
    def is_full(self) -> bool:
        """Whether the client has to wait before more of it is read: until a call told something
        or ended, and it is full no more.
        """
        return False


@dataclass(frozen=True)
class Socket:
    """An address at which a dialect serves WebSockets."""

    path: str
    open: Callable[[Mapping[str, str]], Session]
    """Begins a session by the query. Raises `InvalidInput` for a query that it refuses."""
    about: str = ""
    """What goes in and out, for those who write clients. Empty: the first words of the module that
    opens it.
    """
    query: Mapping[str, str] = field(default_factory=dict)
    """What the query may hold, and what that means."""
    protocols: tuple[str, ...] = ()
    """The subprotocols of which a client may ask for one."""
