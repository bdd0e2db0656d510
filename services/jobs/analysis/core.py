"""Finds what follows from what was said.

Of each sentence a model says what it does: asks for something, promises, decides, warns. That is a
claim; the model is asked again whether the sentence bears it out, and what it does not bear out is
dropped and counted. What it writes of its own, titles and steps, must have words of what was said,
and a name must have been said. So everything that is told rests on a sentence that exists.

Questions are sentences written as such; the model says whether what follows answers them. It knows
neither who asks the model nor what becomes of answers: an `Asker` does.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from services.jobs.analysis.replies import taken_up
from services.jobs.analysis.sentences import (
    Sentence,
    is_name,
    names,
    sentences,
    share_words,
    speakers,
)
from services.jobs.content import (
    ActionItem,
    Finding,
    Findings,
    Risk,
    RiskFinding,
    Severity,
    Transcript,
)
from services.jobs.pipelines import session_prompts as prompts
from services.jobs.pipelines.prompts import Prompt
from services.jobs.pipelines.session_prompts import Act

_AFTER: Final = 5
"""So many sentences after a question are looked at for its answer."""
_WORST_FIRST: Final = {it: -place for place, it in enumerate(Severity)}


class Asker(Protocol):
    """Asks a language model, as often as it takes."""

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        """Answer each question of a kind by the field of the prompt's schema, or by the object
        where it has several; None where there is no answer to be had.
        """
        ...


async def findings(transcript: Transcript, asker: Asker) -> Findings:
    """Find decisions, open questions, action items and risks. The summary is left empty."""
    said = sentences(transcript)
    acts = await asker.each("act", prompts.ACT_V2, [prompts.said(it.text) for it in said])
    claims = [
        (place, Act(act)) for place, act in enumerate(acts) if act is not None and act != Act.OTHER
    ]
    asked = [prompts.claimed(act, said[place].text) for place, act in claims]
    borne = await asker.each("holds", prompts.HOLDS_V1, asked)
    # What nobody could check is told all the same: who asks names it as not whole.
    held = [claim for claim, holds in zip(claims, borne, strict=True) if holds is not False]
    of_act = {act: [place for place, it in held if it is act] for act in Act}
    tasks = {*of_act[Act.REQUEST], *of_act[Act.PROMISE]}
    items, unsaid = await _items(said, of_act[Act.REQUEST], of_act[Act.PROMISE], asker)
    return Findings(
        decisions=tuple(_finding(said[it]) for it in of_act[Act.DECISION]),
        open_questions=await _open_questions(said, tasks, asker),
        action_items=items,
        risks=await _risks([said[it] for it in of_act[Act.DANGER]], asker),
        dropped_claims=sum(it is False for it in borne) + unsaid,
    )


def _finding(sentence: Sentence) -> Finding:
    return Finding(sentence.text, (sentence.evidence,))


async def _open_questions(
    said: Sequence[Sentence], tasks: set[int], asker: Asker
) -> tuple[Finding, ...]:
    places = [it for it, sentence in enumerate(said) if sentence.is_question and it not in tasks]
    asked = [
        prompts.followed(said[it].text, [after.text for after in said[it + 1 : it + 1 + _AFTER]])
        for it in places
    ]
    answered = await asker.each("answered", prompts.ANSWERED_V1, asked)
    return tuple(
        _finding(said[place]) for place, it in zip(places, answered, strict=True) if it is False
    )


async def _items(
    said: Sequence[Sentence], requests: Sequence[int], promises: Sequence[int], asker: Asker
) -> tuple[tuple[ActionItem, ...], int]:
    """What is to be done, and how many steps were dropped because nobody said them."""
    taken = taken_up(said, requests, promises)
    tasks = sorted({*requests, *promises} - {*taken.values()})
    before = [said[it - 1].text if it else "" for it in tasks]
    asked = [
        prompts.to_be_done(earlier, said[it].text)
        for earlier, it in zip(before, tasks, strict=True)
    ]
    told = await asker.each("task", prompts.TASK_V1, asked)
    owners = _Owners(said, set(requests))
    items, dropped = [], 0
    for place, earlier, answer in zip(tasks, before, told, strict=True):
        sentence = said[place]
        answer = answer or {"title": "", "owner": "", "steps": []}
        steps = [it for it in answer["steps"] if share_words(it, sentence.text)]
        dropped += len(answer["steps"]) - len(steps)
        title = str(answer["title"]).strip()
        if not share_words(title, f"{earlier} {sentence.text}"):
            title = sentence.text
        reply = said[taken[place]] if place in taken else None
        owner = owners.of(place, str(answer["owner"]).strip(), reply)
        evidence = dict.fromkeys(it.evidence for it in (sentence, reply) if it is not None)
        items.append(ActionItem(title, sentence.text, tuple(steps), owner, tuple(evidence)))
    return tuple(items), dropped


class _Owners:
    """Who is to do what."""

    def __init__(self, said: Sequence[Sentence], requests: set[int]) -> None:
        self._said, self._requests = said, requests
        self._speakers = speakers(said)
        self._everything = " ".join(it.text for it in said)

    def of(self, place: int, told: str, reply: Sentence | None) -> str:
        """The one who is named; or who takes it up, promises it, or is the only other. Empty:
        nobody can be told.
        """
        sentence = self._said[place]
        if reply is not None and reply.speaker == sentence.speaker:
            return reply.speaker
        if names(told, sentence.text) and is_name(told, self._everything):
            return told
        if place not in self._requests:
            return sentence.speaker
        if reply is not None:
            return reply.speaker
        others = [it for it in self._speakers if it != sentence.speaker]
        return others[0] if sentence.speaker and len(others) == 1 else ""


async def _risks(said: Sequence[Sentence], asker: Asker) -> tuple[RiskFinding, ...]:
    rated = await asker.each("harm", prompts.HARM_V1, [prompts.said(it.text) for it in said])
    found = [
        RiskFinding(Risk(it.text, Severity(severity or Severity.MEDIUM)), (it.evidence,))
        for it, severity in zip(said, rated, strict=True)
    ]
    return tuple(sorted(found, key=lambda it: _WORST_FIRST[it.risk.severity]))
