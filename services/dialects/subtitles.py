"""A transcript as subtitles, SubRip (SRT) and WebVTT: text with times in, a file's text out. It
knows no room and no wire.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """What is shown for a while."""

    start_seconds: float
    end_seconds: float
    text: str
    speaker: str = ""
    """Who says it. Empty: not told."""


def srt(cues: Iterable[Cue]) -> str:
    """Write SubRip: numbered cues, times with a comma."""
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{_said(cue)}\n" for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """Write WebVTT: a header, times with a point, and nothing in a cue that could be markup."""
    written = ["WEBVTT\n"]
    for cue in cues:
        text = _escaped(_line(cue.text))
        voice = f"<v {_escaped(_line(cue.speaker))}>" if cue.speaker else ""
        written.append(f"{_times(cue, '.')}\n{voice}{text}\n")
    return "\n".join(written)


def _said(cue: Cue) -> str:
    return _line(f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text)


def _line(text: str) -> str:
    # An empty line would end the cue, and an arrow begin another.
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(cue: Cue, point: str) -> str:
    return f"{_time(cue.start_seconds, point)} --> {_time(cue.end_seconds, point)}"


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1_000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, parts = divmod(rest, 1_000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{parts:03}"
