"""Ties a process to the one that started it, so that nothing is left behind even when that one is
killed. Run as a script, it ties itself, may take on another user, and becomes another program:

    python tether.py PARENT SIGNAL USER PROGRAM ARGUMENT...

It stands on the standard library alone, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h: a signal to this process when its parent is gone. It outlives `execve`."""


def to_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have this process sent a signal when its parent ends; end at once if it has ended already.

    Only Linux can do this; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os.kill(os.getpid(), number)


def command(
    program: tuple[str, ...], *, number: int = signal.SIGKILL, user: tuple[int, int] | None = None
) -> tuple[str, ...]:
    """The command that runs a program tied to this process, as a user and group if given."""
    script = (sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number)))
    return (*script, f"{user[0]}:{user[1]}" if user else "", *program)


def _become(parent: int, number: int, user: str, program: list[str]) -> None:
    if user:
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which would undo it.
    to_parent(parent, number)
    try:
        os.execvp(program[0], program)  # noqa: S606 - to become the program is the point
    except OSError as failed:
        sys.exit(f"{program[0]}: {failed.strerror}")


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
