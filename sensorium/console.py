"""What a person sees in the terminal: the lines of all processes, each with its name, and tables.

Colours only where a terminal is; `NO_COLOR` is kept. It knows no process and decides nothing.
"""

import json
import logging
import os
import sys
import zlib
from typing import Any, Final

from rich.console import Console
from rich.text import Text

COLOURS: Final = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
HIDDEN: Final = frozenset({"time", "level", "logger", "message", "service", "trace_id", "span_id"})
"""What a log line holds besides its message and that a person at a terminal can do without."""
NAME_WIDTH: Final = 16


class Screen:
    """The terminal, or the file that output goes to."""

    def __init__(self, *, least: int = logging.INFO) -> None:
        self.console = _Terminal(highlight=False, soft_wrap=True)
        self._least = least

    def heard(self, name: str, line: str) -> None:
        """Show a line that a process has written, if it is important enough."""
        level, text = _read(line)
        if level >= self._least:
            style = "red" if level >= logging.ERROR else "yellow" if level > logging.INFO else ""
            self._show(name, text, style)

    def told(self, name: str, line: str) -> None:
        """Show what the launcher has to say of a process."""
        self._show(name, line, "bold")

    def _show(self, name: str, text: str, style: str) -> None:
        colour = COLOURS[zlib.crc32(name.encode()) % len(COLOURS)]
        self.console.print(
            Text.assemble((f"{name:>{NAME_WIDTH}} ", colour), ("| ", "dim"), (plain(text), style))
        )

    def tell(self, text: str, style: str = "") -> None:
        """Show a line of our own."""
        self.console.print(Text(text, style))


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        # Nobody reads any more, as after `| head`; what runs goes on until it is told to stop.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain(text: str) -> str:
    """Take from a text what a process or a model may not do: move the cursor, ring the bell."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _read(line: str) -> tuple[int, str]:
    try:
        record = json.loads(line)
    except ValueError:
        return logging.INFO, line
    if not isinstance(record, dict) or "message" not in record:
        return logging.INFO, line
    known: dict[str, Any] = record
    level = logging.getLevelNamesMapping().get(str(known.get("level")), logging.INFO)
    values = [
        f"{name}={value}"
        for name, value in known.items()
        if name not in HIDDEN and value is not None
    ]
    return level, "  ".join([str(known["message"]), *values])
