"""What is known of the call under way: who asks, what for, how urgently, and until when. Read by
cores and carried on by `client`.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from services.chassis import names


class Priority(StrEnum):
    """Who goes first where calls must wait, in this order."""

    LIVE = "live"
    """A stream that is of no use later: frames, speech."""
    INTERACTIVE = "interactive"
    """Somebody waits for the answer."""
    JOB = "job"
    """Nobody waits; a job will be done in time."""

    @classmethod
    def read(cls, text: str) -> "Priority":
        """Read a priority from metadata; what is none of ours is interactive."""
        return next((it for it in cls if it == text), cls.INTERACTIVE)


@dataclass(frozen=True)
class Call:
    """One call, as the rooms see it."""

    method: str = ""
    """The full RPC name, such as `/mesh.jobs.v1.JobService/GetJob`. Empty outside a call."""
    tenant: str = names.DEFAULT_TENANT
    """Whose data the call may see."""
    priority: Priority = Priority.INTERACTIVE
    """How urgent the call is."""
    deadline: float | None = None
    """When the caller stops waiting, on the monotonic clock. None: never."""

    def remaining(self) -> float | None:
        """Seconds until the deadline, not below zero; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_current: ContextVar[Call] = ContextVar("call", default=Call())  # noqa: B039 - Call is frozen


def current() -> Call:
    """The call under way in this task; outside of one, a call of the default tenant without a
    deadline.
    """
    return _current.get()


class use:  # noqa: N801 - a block, as those that contextlib makes, in a third of their time
    """Make a call the current one for a block."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        self._token = _current.set(self._call)
        return self._call

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
