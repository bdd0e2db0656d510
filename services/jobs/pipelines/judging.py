"""Asks a language model about sentences, each said of a picture.

One sentence at a time, because small models compare two sentences well and lose the thread in a
paragraph; and because a scene changes by a sentence, so that most have been judged before.
"""

import re
from typing import Final

from services.jobs.content import Severity
from services.jobs.pipelines import prompts
from services.jobs.pipelines.prompts import Prompt
from services.jobs.ports.rooms import Reasoning

SENTENCES: Final = 16
"""The most sentences of one description that are looked at; what a model says first counts most."""
_BETWEEN_SENTENCES: Final = re.compile(r"(?<=[.!?。！？])\s+|\n+")  # noqa: RUF001 - they end sentences too


def sentences(description: str) -> tuple[str, ...]:
    """The sentences of a description, each on one line; at most `SENTENCES`."""
    parts = (prompts.line(part) for part in _BETWEEN_SENTENCES.split(description))
    return tuple(part for part in parts if part)[:SENTENCES]


async def tells_of(reasoning: Reasoning, task: str, sentence: str) -> bool:
    """Tell whether a sentence says that the task goes on.

    One that tells of what no picture shows as well tells of nothing: it asks to be agreed with.
    """
    for activity, expected in ((task, True), (prompts.NEVER_SEEN, False)):
        question = prompts.activity_question(activity, sentence)
        if await _ask(reasoning, prompts.SAME_V1, question, "same") is not expected:
            return False
    return True


async def is_readable(reasoning: Reasoning, description: str) -> bool:
    """Tell whether a description says what is in a picture, or that it cannot be made out."""
    question = prompts.readable_question(description)
    return bool(await _ask(reasoning, prompts.READABLE_V1, question, "readable"))


async def hazard_of(reasoning: Reasoning, sentence: str) -> str:
    """Name the hazard that a sentence may tell of: a claim, to be checked. Empty: none."""
    question = prompts.hazard_question(sentence)
    named = str(await _ask(reasoning, prompts.HAZARD_V1, question, "hazard"))
    return "" if named == prompts.NO_HAZARD else named


async def bears_out(reasoning: Reasoning, hazard: str, sentence: str) -> bool:
    """Tell whether a sentence says that a hazard is there."""
    question = prompts.presence_question(hazard, sentence)
    return bool(await _ask(reasoning, prompts.PRESENT_V1, question, "there"))


async def severity_of(reasoning: Reasoning, sentence: str) -> Severity:
    """Tell how bad the risk is that a sentence tells of."""
    question = prompts.hazard_question(sentence)
    return Severity(str(await _ask(reasoning, prompts.SEVERITY_V1, question, "severity")))


async def _ask(reasoning: Reasoning, prompt: Prompt, question: str, field: str) -> object:
    answer = await reasoning.extract(prompt.turns(question), prompt.schema)
    return answer[field]
