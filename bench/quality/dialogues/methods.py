"""The ways to find what follows from a dialogue that are scored: ours, the one that is replaced, a
rule, and ours with a judge that knows the script.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any, Final, Protocol

from bench.quality.dialogues.hearing import Dialogue
from bench.quality.dialogues.perfect import Perfect
from bench.quality.dialogues.scores import Answer, Found, says
from bench.quality.dialogues.scripts import Kind
from bench.quality.minds import Cost, Mind, Turns
from services.chassis.errors import Internal, InvalidInput
from services.jobs.analysis import core as analysis
from services.jobs.analysis import sentences
from services.jobs.content import Evidence, Findings, Segment, Transcript
from services.jobs.pipelines.prompts import Choice, Prompt

_AT_ONCE: Final = 2
_MOST_WORDS: Final = 512
"""The tokens of an answer in words: as the original's default."""


class Method(Protocol):
    """Finds what follows from a dialogue."""

    name: str

    async def find(self, dialogue: Dialogue) -> Answer:
        """Find it in what was heard."""
        ...


class Judge(Protocol):
    """Answers in a schema."""

    cost: Cost

    async def extract(self, turns: Turns, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer; raises `Internal` where no answer fits."""
        ...

    async def choose(self, turns: Turns, answers: Sequence[str]) -> Sequence[float]:
        """Tell how likely each answer is."""
        ...


@dataclass
class Ours:
    """The rooms' own analysis, on a mind."""

    mind: Judge
    name: str = "ours"

    async def find(self, dialogue: Dialogue) -> Answer:
        """Run the analysis, without a summary."""
        return await _analysed(dialogue.transcript, self.mind)


@dataclass
class Ceiling:
    """The rooms' own analysis, with a judge that knows what each sentence of the script does."""

    name: str = "ours, were the judge perfect"

    async def find(self, dialogue: Dialogue) -> Answer:
        """Run the analysis."""
        return await _analysed(dialogue.transcript, Perfect(dialogue.script))


async def _analysed(transcript: Transcript, mind: Judge) -> Answer:
    mind.cost = cost = Cost()
    told = await analysis.findings(transcript, _Asker(mind))
    there = {_stretch(it) for it in transcript.segments}
    found, cited, good = [], 0, 0
    for kind, text, owner, evidence in _all(told):
        found.append(Found(kind, text, owner))
        cited += len(evidence)
        if any(says(it.text, text) for it in evidence):
            good += sum(_stretch(it) in there for it in evidence)
    kept = len(found) + sum(len(it.steps) for it in told.action_items)
    return Answer(
        *(found, cited, good, cost), claims=kept + told.dropped_claims, dropped=told.dropped_claims
    )


def _all(told: Findings) -> Sequence[tuple[Kind, str, str, Sequence[Evidence]]]:
    return [
        *((Kind.DECISION, it.text, "", it.evidence) for it in told.decisions),
        *((Kind.QUESTION, it.text, "", it.evidence) for it in told.open_questions),
        *((Kind.RISK, it.risk.description, "", it.evidence) for it in told.risks),
        *((Kind.ACTION, it.description, it.owner, it.evidence) for it in told.action_items),
    ]


def _stretch(it: Segment | Evidence) -> tuple[float | None, float | None, str, str]:
    return it.start_seconds, it.end_seconds, it.speaker, it.text


@dataclass
class _Asker:
    mind: Judge
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        async def ask(question: str) -> Any:
            async with self.free:
                try:
                    told = await self.mind.extract(prompt.turns(question), prompt.schema)
                except Internal:
                    return None
            return prompt.answer(told)

        return await asyncio.gather(*map(ask, questions))

    async def weigh(
        self, name: str, questions: Sequence[tuple[Choice, str]]
    ) -> Sequence[Sequence[float]]:
        async def weigh(choice: Choice, question: str) -> Sequence[float]:
            async with self.free:
                return await self.mind.choose(choice.turns(question), choice.answers)

        return await asyncio.gather(*starmap(weigh, questions))


@dataclass
class Original:
    """One free question over the whole transcript, after the README of local-models-api.

    Its JSON has neither decisions, open questions nor owners, though its README speaks of them:
    they are asked for, so that they can be compared. What comes back is read generously: the JSON
    wherever it stands in the answer, its entries in whichever form.
    """

    mind: Mind
    name: str = "one prompt over the transcript"

    async def find(self, dialogue: Dialogue) -> Answer:
        """Ask once."""
        self.mind.cost = cost = Cost()
        lines = "\n".join(
            f"[{it.start_seconds:.2f}-{it.end_seconds:.2f}] {it.speaker}: {it.text}"
            for it in dialogue.transcript.segments
        )
        prompt = f"{_INSTRUCTION}\n\nTranscript:\n{lines}\n\nJSON:"
        try:
            said = await self.mind.write([("user", prompt)], most_tokens=_MOST_WORDS)
        except InvalidInput:
            cost.too_long += 1
            return Answer((), cost=cost)
        told = _object_in(said)
        found = [
            Found(kind, _text(entry), _owner(entry))
            for key, kind in _KEYS.items()
            for entry in _list(told.get(key))
        ]
        cost.asked, cost.fitting = 1, int(bool(told))
        return Answer(found, cost=cost)


_KEYS: Final = {
    "action_items": Kind.ACTION,
    "decisions": Kind.DECISION,
    "open_questions": Kind.QUESTION,
    "risks": Kind.RISK,
}
_INSTRUCTION: Final = (
    "Analyze the transcript of a conversation. Summarize it, extract decisions and open questions, "
    "and generate action items and risks. Answer with valid JSON that has these keys: summary "
    "(string), action_items (array of {title, description, steps, owner}), decisions (array of "
    "strings), open_questions (array of strings), risks (array of strings)."
)


def _object_in(said: str) -> Mapping[str, Any]:
    begin, end = said.find("{"), said.rfind("}")
    try:
        told = json.loads(said[begin : end + 1])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _list(told: Any) -> Sequence[Any]:
    return told if isinstance(told, list) else []


def _text(entry: Any) -> str:
    if isinstance(entry, dict):
        return " ".join(str(it) for key, it in entry.items() if key != "owner")
    return str(entry)


def _owner(entry: Any) -> str:
    return str(entry.get("owner") or "") if isinstance(entry, dict) else ""


@dataclass
class Rule:
    """What phrases give away, without a model."""

    name: str = "rule alone"

    async def find(self, dialogue: Dialogue) -> Answer:
        """Look each sentence over for its cue."""
        said = sentences.sentences(dialogue.transcript)
        everybody = sentences.speakers(said)
        found = []
        for place, it in enumerate(said):
            follows = " ".join(after.text for after in said[place + 1 : place + 2])
            if _PROMISE.search(it.text):
                found.append(Found(Kind.ACTION, it.text, it.speaker))
            elif _REQUEST.search(it.text):
                named = re.match(r"([A-Z]\w+),", it.text)
                others = [each for each in everybody if each != it.speaker]
                other = others[0] if len(others) == 1 else ""
                found.append(Found(Kind.ACTION, it.text, named[1] if named else other))
            elif assigned := _ASSIGNED.search(it.text):
                found.append(Found(Kind.ACTION, it.text, assigned[1]))
            elif _DECISION.search(it.text):
                found.append(Found(Kind.DECISION, it.text))
            elif _DANGER.search(it.text):
                found.append(Found(Kind.RISK, it.text))
            elif it.is_question and _UNKNOWN.search(follows):
                found.append(Found(Kind.QUESTION, it.text))
        return Answer(found)


_PROMISE: Final = re.compile(r"\b(I will|I'll|I'm going to|let me)\b", re.IGNORECASE)
_REQUEST: Final = re.compile(r"\b(please|could you|can you|would you|can somebody)\b", re.I)
_ASSIGNED: Final = re.compile(r"\b([A-Z][a-z]+) (?:will|is going to)\b")
_DECISION: Final = re.compile(r"\b(decided|agreed|settled|let's|so we)\b", re.IGNORECASE)
_DANGER: Final = re.compile(r"\b(could|might|may|dangerous|risk|if)\b", re.IGNORECASE)
_UNKNOWN: Final = re.compile(r"\b(no idea|don't know|not sure|have to ask)\b", re.IGNORECASE)
