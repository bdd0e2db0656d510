"""What can go wrong, as one family. It knows nothing of gRPC or HTTP: `status` translates.

    MeshError
    ├── InvalidInput      INVALID_ARGUMENT     400   the caller must change the request
    ├── Unauthenticated   UNAUTHENTICATED      401   the caller must say who it is
    ├── Denied            PERMISSION_DENIED    403   the caller may not
    ├── NotFound          NOT_FOUND            404   there is no such thing, for this caller
    ├── Conflict          ABORTED              409   somebody else was faster
    ├── Precondition      FAILED_PRECONDITION  400   the thing is in the wrong state for this
    ├── Exhausted         RESOURCE_EXHAUSTED   429   too much at once; passes
    ├── Internal          INTERNAL             500   our own mistake
    ├── Unimplemented     UNIMPLEMENTED        501   not built yet
    ├── Unavailable       UNAVAILABLE          503   something we stand on is down; passes
    └── TimedOut          DEADLINE_EXCEEDED    504   the deadline came first; passes

An error is a fact in a lower-case clause without a full stop, and where there is one, a remedy:
what to do about it. Both cross the wire, so neither may hold a secret, an address of the inside, or
what a user sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Self


@dataclass(frozen=True)
class Violation:
    """One field that is not as it must be."""

    field: str
    """The field's path in the request, such as `input.images[3].data`."""
    problem: str
    """What is wrong with it and what would be right."""


@dataclass(frozen=True)
class Resource:
    """The thing that an error speaks of."""

    kind: str
    """What it is, such as `job`."""
    name: str
    """Which one: its id."""


class MeshError(Exception):
    """Anything that went wrong and can be told to a caller."""

    reason: ClassVar[str] = "INTERNAL"
    passes: ClassVar[bool] = False
    """Whether the cause may pass by itself, so that the same request may work later."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        code: str = "",
        violations: Sequence[Violation] = (),
        resource: Resource | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or self.reason
        """A stable name of the cause for programs, in UPPER_SNAKE_CASE."""
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The fact, and after a semicolon the remedy."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class InvalidInput(MeshError):
    """The request is wrong in itself; sending it again changes nothing."""

    reason = "INVALID_INPUT"

    @classmethod
    def field(cls, path: str, problem: str, *, remedy: str = "", code: str = "") -> Self:
        """An error about one field, named in the message too."""
        return cls(
            f"{path}: {problem}",
            remedy=remedy,
            code=code,
            violations=[Violation(path, f"{problem}; {remedy}" if remedy else problem)],
        )


class Unauthenticated(MeshError):
    """Nobody known asks."""

    reason = "UNAUTHENTICATED"


class Denied(MeshError):
    """Somebody known asks for what is not theirs."""

    reason = "DENIED"


class NotFound(MeshError):
    """There is no such thing, or not for this caller."""

    reason = "NOT_FOUND"


class Conflict(MeshError):
    """Another write came first; read again and decide anew."""

    reason = "CONFLICT"


class Precondition(MeshError):
    """The thing exists but is not in a state that allows this."""

    reason = "PRECONDITION"


class Exhausted(MeshError):
    """Too much is asked of us at once."""

    reason = "EXHAUSTED"
    passes = True


class Internal(MeshError):
    """Our own mistake. The cause is in the log, not in the message."""

    reason = "INTERNAL"


class Unimplemented(MeshError):
    """The contract names it, this version does not do it."""

    reason = "UNIMPLEMENTED"


class Unavailable(MeshError):
    """Something that we stand on does not answer."""

    reason = "UNAVAILABLE"
    passes = True


class TimedOut(MeshError):
    """The deadline came before the answer."""

    reason = "TIMED_OUT"
    passes = True
