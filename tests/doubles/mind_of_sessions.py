"""The reasoning room as analyses of sessions see it: it judges by the words in a line."""

import asyncio

from services.chassis.errors import Unavailable
from services.jobs.pipelines import session_prompts
from services.jobs.pipelines.session_prompts import (
    ACT_V3,
    CHECKS,
    HARM_V2,
    IDLE,
    PLAINLY_ANSWERED,
    Act,
)
from services.jobs.ports.rooms import TokenCounts
from tests.doubles.peers_memory import lines_of, tokens

PLAIN = {text: act for act, check in CHECKS.items() for text in check.plain}
IDLE_LINES = [session_prompts.said(it) for it in IDLE]


class SessionMind:
    def __init__(
        self, *, failing=(), hangs=False, hangs_at="", down_at="", refuted=(), task=None, acts=None
    ):
        self.failing = list(failing)
        """Raised by the next questions, one each; None: that one is answered."""
        self.hangs_at = hangs_at
        """Words of questions that it never answers."""
        self.down_at = down_at
        """Words of the question from which on it is down."""
        self.hangs = hangs
        self.refuted = refuted
        """Words of lines that bear out no claim."""
        self.task = task
        """What is told of every task."""
        self.acts = acts or _ACTS
        """What a line with a word in it does."""
        self.asked = []

    async def extract(self, turns, schema, *, most_tokens=0):
        question = turns[-1][1]
        await self._asked(question)
        said = question.partition("Line: ")[2]
        if "summary" in schema["properties"]:
            return {"summary": _recap(lines_of(question))}
        title = said.removeprefix("Please ").rstrip(".")
        return self.task or {"title": title, "owner": "", "steps": []}

    async def choose(self, turns, answers):
        question = turns[-1][1]
        await self._asked(question)
        said = question.partition("Line: ")[2]
        if answers == ACT_V3.answers:
            act = PLAIN.get(said) or next(
                (act for word, act in self.acts.items() if word in said), Act.OTHER
            )
            return [0.6 if it == act else 0.1 for it in answers]
        if answers == HARM_V2.answers:
            return [float(it == ("high" if "very" in said else "low")) for it in answers]
        if question in IDLE_LINES:
            return [0.2, 0.8]
        says = said in PLAIN or not any(word in said for word in self.refuted)
        if not said:
            says = question in PLAINLY_ANSWERED or "because" in question
        return [0.4, 0.6] if says else [0.2, 0.8]

    async def count_tokens(self, texts):
        await self._asked("count")
        return TokenCounts(tuple(map(tokens, texts)), 0)

    async def _asked(self, question):
        self.asked.append(question)
        if self.hangs or (self.hangs_at and self.hangs_at in question):
            await asyncio.Event().wait()
        if self.down_at and self.down_at in question:
            self.down_at = ":"  # As every question has.
            raise Unavailable("the engine went away")
        if self.failing and (failure := self.failing.pop(0)):
            raise failure


def _recap(lines):
    return f"{len(lines)} lines: {lines[-1]}" if lines else ""


_ACTS = {
    "Please": "request",
    "I will": "promise",
    "decided": "decision",
    "dangerous": "danger",
}
