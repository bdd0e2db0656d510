"""A process of the mesh from start to end: logs, telemetry, the event loop, and a plain word when
it cannot start.
"""

import gc
import resource
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from services.chassis import logs, telemetry
from services.chassis.config import ConfigError


def run(name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` as the process `name`. A `ConfigError` is told in one line and ends it with code
    2.
    """
    logs.start(name)
    rest_from_garbage()
    open_many_files()
    try:
        with telemetry.started(name):
            uvloop.run(main())
    except ConfigError as wrong:
        print(f"{name}: {wrong}", file=sys.stderr)
        sys.exit(2)


def rest_from_garbage() -> None:
    """Look for cycles of garbage seldom, and never among what was loaded at the start.

    Jobs and messages live for a moment and are freed without it; looking at all of them again and
    again took a fifth of a busy worker's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def open_many_files() -> None:
    """Let this process, and those that it starts, hold as many connections as the system allows it:
    what it allows by itself is about a thousand on most machines.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
