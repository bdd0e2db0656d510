"""Analyses a transcript within its time: what cannot be made, because the language engine is down
or the time is up, is named as missing, and the rest is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from services.chassis.errors import Exhausted, MeshError
from services.jobs.analysis import core as analysis
from services.jobs.analysis.sentences import evidence_of
from services.jobs.content import Findings, MissingPart, Segment, Transcript
from services.jobs.pipelines import session_prompts, summing
from services.jobs.pipelines.citing import cited, text_of
from services.jobs.pipelines.prompts import Prompt, line
from services.jobs.ports.rooms import Reasoning
from services.jobs.sessions.domain import Progress
from services.jobs.sessions.noting import Tell

Answer = TypeVar("Answer")

_AT_ONCE: Final = 4
"""What one session asks at a time: an engine that answers several at once is kept busy."""
_AGAIN_SECONDS: Final = 2.0
_PARTS: Final = {
    "summary": ("summary",),
    "act": ("decisions", "action_items", "risks"),
    "holds": ("decisions", "action_items", "risks"),
    "answered": ("open_questions",),
    "task": ("action_items",),
    "harm": ("risks",),
}
"""What is not whole without an answer to a kind of question."""
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
        summary = await asker.summary(transcript.segments)
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
        self._until = asyncio.get_running_loop().time() + within.total_seconds()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._given_up = ""
        self._missing: dict[str, str] = {}

    def missing(self) -> tuple[MissingPart, ...]:
        """What could not be made, and why."""
        return tuple(MissingPart(part, reason) for part, reason in self._missing.items())

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        """Answer each question of a kind."""

        async def answer(question: str) -> Any:
            told = await self._reasoning.extract(prompt.turns(question), prompt.schema)
            return prompt.answer(told)

        self._note(asked=len(questions))
        asked = (self._ask(name, lambda it=it: answer(it)) for it in questions)  # type: ignore[misc]
        answers: list[Any] = await asyncio.gather(*asked)
        return answers

    async def summary(self, segments: Sequence[Segment]) -> str:
        """Sum up what was said. Empty: it cannot be."""
        recap = summing.Recap(session_prompts.RECAP_OF_SPEECH_V1, session_prompts.conversation)

        async def measure(_: int, lines: Sequence[str]) -> summing.Sizes:
            sizes = await self._tried("summary", lambda: recap.sizes(lines, self._reasoning))
            if sizes is None:
                raise _NotMeasured
            return sizes

        async def sum_up(_: int, parts: Sequence[str]) -> Sequence[str]:
            self._note(asked=len(parts))
            asked = (
                self._ask("summary", lambda part=part: recap.of(part, self._reasoning))  # type: ignore[misc]
                for part in parts
            )
            return [it for it in await asyncio.gather(*asked) if it] or [""]

        try:
            return await summing.summed_up([_told(it) for it in segments], measure, sum_up)
        except _NotMeasured:
            return ""

    def _note(self, *, asked: int = 0, answered: int = 0) -> None:
        before = self._progress
        self._progress = Progress(before.asked + asked, before.answered + answered)
        self._tell(self._progress)

    async def _ask(self, name: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            return await self._tried(name, ask)
        finally:
            self._note(answered=1)

    async def _tried(self, name: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        reason = self._given_up
        if not reason:
            try:
                async with self._free, asyncio.timeout_at(self._until):
                    return await self._asked(ask)
            except TimeoutError:
                reason = self._given_up = _TIME_IS_UP
            except MeshError as error:
                reason = f"the language engine did not answer: {error.message}"
                if error.passes:
                    self._given_up = reason
        for part in _PARTS[name]:
            self._missing.setdefault(part, reason)
        return None

    async def _asked(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                return await ask()
            except Exhausted as full:
                wait = full.retry_after
                await asyncio.sleep(wait.total_seconds() if wait else _AGAIN_SECONDS)


def _told(segment: Segment) -> str:
    who = f"{segment.speaker}: " if segment.speaker else ""
    return line(f"{who}{segment.text}")[: summing.LINE_CHARS]
