"""Sums up lines of any number: part by part, each no longer than the model's context holds by the
engine's own count, and then those summaries, until one is left.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.jobs import record
from services.jobs.domain import Json
from services.jobs.pipelines.prompts import Prompt, line
from services.jobs.pipelines.work import Work
from services.jobs.ports.rooms import Reasoning

LINE_CHARS: Final = 600
"""The most of one line, and of one summary."""
_ANSWER_TOKENS: Final = 640
"""Kept free for a summary: more than a token for each of its letters."""
_TEMPLATE_TOKENS: Final = 64
"""Kept free for what a chat adds around its messages."""
_UNTOLD_CONTEXT: Final = 4096
"""Where the engine does not say what its model holds."""
_MOST_TOKENS: Final = 2000
"""Of lines in one prompt: in more a small model loses the thread, and a slow one its time."""
_LEAST_TOKENS: Final = 128
_LINES: Final = 4
"""So many fit into a part however long they are, so that each round is shorter than the last."""
_AT_ONCE: Final = 2
_MARK: Final = "- "
"""Begins each line, and no line of what is asked: data cannot pass for the question."""
_LINE_TOKENS: Final = 3
"""What the mark and the end of a line may cost."""


@dataclass(frozen=True)
class Recap:
    """How a model is asked for a summary."""

    prompt: Prompt
    question: Callable[[str], str]
    """Asks the prompt about lines."""

    async def of(self, lines: str, reasoning: Reasoning) -> str:
        """Sum up lines that fit into one prompt, on one line of at most `LINE_CHARS`."""
        turns = self.prompt.turns(self.question(lines))
        told = await reasoning.extract(turns, self.prompt.schema, most_tokens=_ANSWER_TOKENS)
        return line(str(self.prompt.answer(told)))[:LINE_CHARS]

    async def sizes(self, lines: Sequence[str], reasoning: Reasoning) -> "Sizes":
        """Have the engine count lines, and what stands around them."""
        around = "\n".join(text for _, text in self.prompt.turns(self.question("")))
        counted = await reasoning.count_tokens([around, *lines])
        frame, *counts = counted.counts
        context = counted.context_tokens or _UNTOLD_CONTEXT
        room = context - frame - _TEMPLATE_TOKENS - _ANSWER_TOKENS
        return Sizes(tuple(counts), max(_LEAST_TOKENS, min(room, _MOST_TOKENS)))


@dataclass(frozen=True)
class Sizes:
    """How long lines are for a model."""

    counts: tuple[int, ...]
    """The tokens of each."""
    room: int
    """The most tokens of lines in one prompt."""


Measure = Callable[[int, Sequence[str]], Awaitable[Sizes]]
"""Measures the lines of a level."""
SumUp = Callable[[int, Sequence[str]], Awaitable[Sequence[str]]]
"""Sums up each part of a level, in order, in a line or none each; of all at least one."""


async def summed_up(lines: Sequence[str], measure: Measure, sum_up: SumUp) -> str:
    """Sum up at least one line."""
    level = 0
    while True:
        lines = await sum_up(level, parts(lines, await measure(level, lines)))
        if len(lines) == 1:
            return lines[0]
        level += 1


def parts(lines: Sequence[str], sizes: Sizes) -> list[str]:
    """Put lines together to as few parts as fit; a line that is too long is cut."""
    most = sizes.room // _LINES - _LINE_TOKENS
    made: list[str] = []
    left = 0
    for each, count in zip(lines, sizes.counts, strict=True):
        # No tokenizer makes more tokens than there are bytes.
        text = each if count <= most else each.encode()[:most].decode(errors="ignore")
        needed = min(count, most) + _LINE_TOKENS
        if needed <= left:
            made[-1] += f"\n{_MARK}{text}"
            left -= needed
        else:
            made.append(f"{_MARK}{text}")
            left = sizes.room - needed
    return made


async def summed_up_in_steps(lines: Sequence[str], recap: Recap, work: Work) -> str:
    """Sum up lines in recorded steps: `measure/0` and `recap/0/0` and so on, the level and the part
    of it. What an engine counted is recorded, so that each part stays what it was.
    """
    steps, reasoning = work.steps, work.peers.reasoning

    async def measure(level: int, lines: Sequence[str]) -> Sizes:
        async def count() -> Json:
            return record.dump(await recap.sizes(lines, reasoning))

        key = f"measure/{level}"
        await steps.plan(key)
        return record.load(Sizes, await steps.run(key, count, tell=_tokens))

    async def sum_up(level: int, parts: Sequence[str]) -> Sequence[str]:
        async def ask(part: str) -> Json:
            return await recap.of(part, reasoning)

        return await steps.run_each(f"recap/{level}", parts, ask, at_once=_AT_ONCE, tell=str)

    return await summed_up(lines, measure, sum_up)


def _tokens(sizes: Json) -> str:
    return f"{sum(sizes['counts'])} tokens, {sizes['room']} at a time"
