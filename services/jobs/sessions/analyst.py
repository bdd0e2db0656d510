"""Analyses a transcript within its time. Where the language engine fails or the time is up, what
was found until then is told, and what is not whole is named as missing.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from services.chassis.errors import Exhausted, MeshError
from services.jobs.analysis import core as analysis
from services.jobs.analysis.sentences import evidence_of
from services.jobs.content import Findings, MissingPart, Segment, Transcript
from services.jobs.pipelines import session_prompts, summing
from services.jobs.pipelines.citing import cited, text_of
from services.jobs.pipelines.languages import written_in
from services.jobs.pipelines.prompts import Choice, Prompt, line
from services.jobs.ports.rooms import Reasoning
from services.jobs.sessions.live import Progress
from services.jobs.sessions.noting import Tell

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_AT_ONCE: Final = 4
"""What one session asks at a time: an engine that answers several at once is kept busy."""
_AGAIN_SECONDS: Final = 2.0
_LEAST_WAIT_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0
"""So long an engine that has answered may be gone: it takes about that to start."""


@dataclass(frozen=True)
class _Kind:
    parts: tuple[str, ...]
    """What is not whole without the answers."""
    share: float
    """Of the time that is left when it begins: the kinds after it have the rest."""


_KINDS: Final = {
    "summary": _Kind(("summary",), 0.4),
    "does": _Kind(("decisions", "action_items", "risks"), 0.65),
    "checks": _Kind(("decisions", "action_items", "risks"), 0.6),
    "answers": _Kind(("open_questions",), 0.4),
    "task": _Kind(("action_items",), 0.7),
    "harms": _Kind(("risks",), 1.0),
}
"""The kinds of questions, as they are asked one after another."""
_TIME_IS_UP: Final = "the time for the analysis was up"


class Analyst:
    """Analyses the transcripts of sessions."""

    def __init__(self, reasoning: Reasoning, *, within: timedelta) -> None:
        self._reasoning = reasoning
        self._within = within

    async def __call__(self, transcript: Transcript, tell: Tell) -> Findings:
        """Find what a transcript comes to; raises nothing of what can go wrong with a model."""
        if not transcript.segments:
            return Findings()
        asker = _Patient(self._reasoning, self._within, tell)
        summary = await asker.summary(transcript)
        sentences, unfounded = cited(summary, [evidence_of(it) for it in transcript.segments])
        found = await analysis.findings(transcript, asker)
        return replace(
            found,
            summary=text_of(sentences),
            summary_sentences=sentences,
            dropped_claims=found.dropped_claims + unfounded,
            missing=asker.missing(),
        )


class _NotMeasured(Exception):
    """There is no telling how long lines are: what is missing for it has been named."""


class _Patient:
    """Asks until the time is up, or the engine turns out to be down."""

    def __init__(self, reasoning: Reasoning, within: timedelta, tell: Tell) -> None:
        self._reasoning = reasoning
        self._tell = tell
        self._progress = Progress()
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + within.total_seconds()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._answer_time: float | None = None
        self._trouble = ""
        """Why the engine answered nothing lately. Empty: it does."""
        self._is_down = False
        self._asked: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}

    def missing(self) -> tuple[MissingPart, ...]:
        """What could not be made, or not wholly, and why."""
        return tuple(
            MissingPart(part, f"{reason}; {self._answered(part)} questions about it were answered")
            for part, reason in self._reasons.items()
        )

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        """Answer each question of a kind."""

        async def answer(question: str) -> Any:
            told = await self._reasoning.extract(prompt.turns(question), prompt.schema)
            return prompt.answer(told)

        return await self._each(name, self._time(name), questions, answer)

    async def weigh(
        self, name: str, questions: Sequence[tuple[Choice, str]]
    ) -> Sequence[Sequence[float] | None]:
        """Tell how likely each answer is to each question of a kind."""

        async def weigh(asked: tuple[Choice, str]) -> Sequence[float]:
            choice, question = asked
            return await self._reasoning.choose(choice.turns(question), choice.answers)

        return await self._each(name, self._time(name), questions, weigh)

    async def summary(self, transcript: Transcript) -> str:
        """Sum up what was said; part by part, where there is no summary of the parts to be had."""
        recap = summing.Recap(
            session_prompts.RECAP_OF_SPEECH_V1,
            lambda it: written_in(transcript.language, session_prompts.conversation(it)),
        )
        until = self._time("summary")
        told: list[str] = []

        async def measure(_: int, lines: Sequence[str]) -> summing.Sizes:
            counted = self._tried("summary", until, lambda: recap.sizes(lines, self._reasoning))
            if (sizes := await counted) is None:
                raise _NotMeasured
            return sizes

        async def sum_up(_: int, parts: Sequence[str]) -> Sequence[str]:
            asked = self._each("summary", until, parts, lambda it: recap.of(it, self._reasoning))
            answers = [it for it in await asked if it]
            told[:] = answers or told
            return answers or [""]

        lines = [_line(it) for it in transcript.segments]
        try:
            summary = await summing.summed_up(lines, measure, sum_up)
        except _NotMeasured:
            summary = ""
        return summary or "\n".join(told)

    def _time(self, name: str) -> float:
        now = self._clock()
        return now + _KINDS[name].share * (self._until - now)

    async def _each(
        self,
        name: str,
        until: float,
        items: Sequence[Item],
        ask: Callable[[Item], Awaitable[Answer]],
    ) -> list[Answer | None]:
        async def answer(item: Item) -> Answer | None:
            try:
                return await self._tried(name, until, lambda: ask(item))
            finally:
                self._note(answered=1)

        self._note(asked=len(items))
        return await asyncio.gather(*map(answer, items))

    def _note(self, *, asked: int = 0, answered: int = 0) -> None:
        before = self._progress
        self._progress = Progress(before.asked + asked, before.answered + answered)
        self._tell(self._progress)

    def _answered(self, part: str) -> str:
        asked = self._asked[part]
        return f"{asked - self._unanswered[part]} of {asked}"

    async def _tried(
        self, name: str, until: float, ask: Callable[[], Awaitable[Answer]]
    ) -> Answer | None:
        parts = _KINDS[name].parts
        self._asked.update(parts)
        async with self._free:
            try:
                if not self._is_down and self._clock() < until:
                    async with asyncio.timeout_at(until):
                        return await self._insist(ask)
                reason = self._trouble or _TIME_IS_UP
            except TimeoutError:
                reason = self._trouble or _TIME_IS_UP
            except MeshError as error:
                reason = _told(error)
                self._is_down |= error.passes
        self._unanswered.update(parts)
        for part in parts:
            self._reasons.setdefault(part, reason)
        return None

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                answer = await ask()
            except Exhausted as full:
                wait = full.retry_after
            except MeshError as error:
                if not error.passes:
                    raise
                self._trouble = _told(error)
                if not self._is_patient():
                    raise
                wait = error.retry_after
            else:
                self._answer_time, self._trouble = self._clock(), ""
                return answer
            seconds = _AGAIN_SECONDS if wait is None else wait.total_seconds()
            await asyncio.sleep(max(_LEAST_WAIT_SECONDS, seconds))

    def _is_patient(self) -> bool:
        last = self._answer_time
        return last is not None and self._clock() < last + _PATIENCE_SECONDS


def _told(error: MeshError) -> str:
    return f"the language engine did not answer: {error.message}"


def _line(segment: Segment) -> str:
    who = f"{segment.speaker}: " if segment.speaker else ""
    return line(f"{who}{segment.text}")[: summing.LINE_CHARS]
