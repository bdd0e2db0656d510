"""Asks a language model about sentences, each said of a picture.

One sentence at a time, because small models compare two sentences well and lose the thread in a
paragraph; and because a scene changes by a sentence, so that most have been judged before.
"""

import math
from collections.abc import Mapping
from typing import Final

from services.jobs.content import Severity
from services.jobs.pipelines import prompts, wording
from services.jobs.pipelines.prompts import Prompt
from services.jobs.ports.rooms import Reasoning

SENTENCES: Final = 16
"""The most sentences of one description that are looked at; what a model says first counts most."""
_LEAST: Final = 1e-6
"""A probability below which it makes no difference how small it is."""
_OWN_WORDS: Final = 0.65
"""How far it is to a yes from what has nothing to do with a statement, on the way to its own words.
About half of it is what else the same person or thing may do or be, whichever the model. Found on
the training wordings of `bench.quality`, with two models."""


def sentences(description: str) -> tuple[str, ...]:
    """The sentences of a description, each on one line; at most `SENTENCES`."""
    return tuple(map(prompts.line, wording.sentences(description)[:SENTENCES]))


async def least_lean(reasoning: Reasoning, statement: str) -> float:
    """Find how far a model must lean towards yes to mean that a sentence makes a statement.

    Between how far it leans of sentences that have nothing to do with the statement, of which the
    furthest counts, and of the statement's own words: one model says no to nearly all but those
    words, another yes to much.
    """
    own = await _lean(reasoning, statement, f"{statement.rstrip('.')}.")
    other = max([await _lean(reasoning, statement, it) for it in prompts.ELSEWHERE])
    return max(other + _OWN_WORDS * (own - other), other)


async def tells_of(
    reasoning: Reasoning, least: Mapping[str, float], task: str, sentence: str
) -> bool:
    """Tell whether a sentence says that the task goes on.

    `least` has what `least_lean` found of the task and of `NEVER_SEEN`: a sentence that tells of
    what no picture shows as well tells of nothing, but asks to be agreed with.
    """
    for statement, expected in ((task, True), (prompts.NEVER_SEEN, False)):
        says = await _lean(reasoning, statement, sentence) > least[statement]
        if says is not expected:
            return False
    return True


async def _lean(reasoning: Reasoning, statement: str, sentence: str) -> float:
    question = prompts.SAYS_V1.turns(prompts.says_question(statement, sentence))
    yes, no = await reasoning.choose(question, prompts.SAYS_V1.answers)
    return math.log(max(yes, _LEAST) / max(no, _LEAST))


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
