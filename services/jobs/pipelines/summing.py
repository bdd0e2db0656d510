"""Sums up lines of any number: part by part, each small enough for a small model's context, and
then those summaries, until one is left.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.jobs.domain import Json
from services.jobs.pipelines.prompts import line
from services.jobs.pipelines.work import Work

LINE_CHARS: Final = 600
"""The most of one line, and of one summary."""
SUMMARY_TOKENS: Final = 160
"""The most tokens of one summary."""
_PART_CHARS: Final = 3000
"""Of lines in one prompt: at most that many tokens in any language, and several lines at least, so
that each round of summaries is shorter than the last."""

_FOCUS_CHARS: Final = 400

SumUp = Callable[[int, Sequence[str]], Awaitable[Sequence[str]]]
"""Sums up each part of a level, in order."""


async def summed_up(lines: Sequence[str], sum_up: SumUp) -> str:
    """Sum up at least one line, each of at most `LINE_CHARS`."""
    level = 0
    while True:
        lines = await sum_up(level, parts(lines))
        if len(lines) == 1:
            return lines[0]
        level += 1


def parts(lines: Sequence[str]) -> list[str]:
    """Put lines together to as few parts as a small context allows."""
    made: list[str] = []
    for each in lines:
        if made and len(made[-1]) + len(each) < _PART_CHARS:
            made[-1] += f"\n{each}"
        else:
            made.append(each)
    return made


async def summed_up_in_steps(lines: Sequence[str], instruction: str, focus: str, work: Work) -> str:
    """Sum up lines in recorded steps, `summarize/0/0` and so on: the level, and the part of it."""
    heed = f" Pay heed to this: {line(focus)[:_FOCUS_CHARS]}" if focus else ""

    async def summarize(part: str) -> Json:
        turns = [("system", instruction + heed), ("user", part)]
        said = await work.peers.reasoning.write(turns, most_tokens=SUMMARY_TOKENS)
        return line(said)[:LINE_CHARS]

    async def sum_up(level: int, parts: Sequence[str]) -> Sequence[str]:
        return await work.steps.run_each(
            f"summarize/{level}", parts, summarize, at_once=1, tell=str
        )

    return await summed_up(lines, sum_up)
