"""Finds what follows from what was said.

Of each sentence a model says what it does: asks for something, promises, decides, warns. That is a
claim; what the sentence does not bear out is dropped and counted. What a model writes of its own,
titles and steps, must have words of what was said, and a name must have been said. So everything
that is told rests on a sentence that exists; what is said again in the same words is told once.

Questions are sentences written as such; the model says whether what follows answers them. It knows
neither who asks the model nor what becomes of answers: an `Asker` does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from services.jobs.analysis.acts import Weigher, acts
from services.jobs.analysis.leaning import weights
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
    Evidence,
    Finding,
    Findings,
    Risk,
    RiskFinding,
    Severity,
    Transcript,
)
from services.jobs.pipelines import session_prompts as prompts
from services.jobs.pipelines.languages import written_in
from services.jobs.pipelines.prompts import Prompt
from services.jobs.pipelines.session_prompts import Act

_LEAST_ANSWERED: Final = 0.72
"""How much a reply must weigh to answer a question, where 0 is one that does not and 1 one that
plainly does. Found on training seeds of `bench.quality`, with two models."""
_WORST_FIRST: Final = {it: -place for place, it in enumerate(Severity)}


class Asker(Weigher, Protocol):
    """Asks a language model, as often as it takes."""

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        """Answer each question of a kind by the field of the prompt's schema, or by the object
        where it has several; None where there is no answer to be had.
        """
        ...


async def findings(transcript: Transcript, asker: Asker) -> Findings:
    """Find decisions, open questions, action items and risks. The summary is left empty."""
    said = sentences(transcript)
    done = await acts(said, asker)
    of_act = {
        act: [place for place, it in enumerate(said) if done.of.get(it.text) is act] for act in Act
    }
    requests, promises = of_act[Act.REQUEST], of_act[Act.PROMISE]
    items, unsaid = await _items(said, requests, promises, transcript.language, asker)
    return Findings(
        decisions=_told_once(said[it] for it in of_act[Act.DECISION]),
        open_questions=await _open_questions(said, {*done.of, *done.refuted}, asker),
        action_items=items,
        risks=await _risks(_told_once(said[it] for it in of_act[Act.DANGER]), asker),
        dropped_claims=len(done.refuted) + unsaid,
    )


def _told_once(said: Iterable[Sentence]) -> tuple[Finding, ...]:
    evidence: dict[str, dict[Evidence, None]] = {}
    for it in said:
        evidence.setdefault(it.text, {})[it.evidence] = None
    return tuple(Finding(text, tuple(rests_on)) for text, rests_on in evidence.items())


async def _open_questions(
    said: Sequence[Sentence], acts: set[str], asker: Asker
) -> tuple[Finding, ...]:
    """The questions that were not answered when they were last asked. What seems to ask for a task
    is none, whatever comes of it.
    """
    places = {
        it.text: place for place, it in enumerate(said) if it.is_question and it.text not in acts
    }
    if not places:
        return ()
    known = (*prompts.UNANSWERED, *prompts.PLAINLY_ANSWERED)
    asked = (prompts.replied(text, said[place].reply) for text, place in places.items())
    told = await asker.weigh("answers", [(prompts.ANSWERED_V2, it) for it in (*known, *asked)])
    answered = weights(told, len(prompts.UNANSWERED), len(known))
    still_open = {
        text
        for text, it in zip(places, answered, strict=True)
        if it is not None and it < _LEAST_ANSWERED
    }
    return _told_once(it for it in said if it.text in still_open)


async def _items(
    said: Sequence[Sentence],
    requests: Sequence[int],
    promises: Sequence[int],
    language: str,
    asker: Asker,
) -> tuple[tuple[ActionItem, ...], int]:
    """What is to be done, and how many steps were dropped because nobody said them."""
    taken = taken_up(said, requests, promises)
    tasks = sorted({*requests, *promises} - {*taken.values()})
    before = [said[it - 1].text if it else "" for it in tasks]
    asked = [
        written_in(language, prompts.to_be_done(earlier, said[it].text))
        for earlier, it in zip(before, tasks, strict=True)
    ]
    told = await asker.each("task", prompts.TASK_V1, asked)
    owners = _Owners(said, set(requests))
    items: dict[tuple[str, str], ActionItem] = {}
    dropped = 0
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
        known = items.get((sentence.text, owner))
        evidence = dict.fromkeys(
            [
                *(known.evidence if known else ()),
                *(it.evidence for it in (sentence, reply) if it is not None),
            ]
        )
        item = known or ActionItem(title, sentence.text, tuple(steps), owner, ())
        items[sentence.text, owner] = replace(item, evidence=tuple(evidence))
    return tuple(items.values()), dropped


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


async def _risks(found: Sequence[Finding], asker: Asker) -> tuple[RiskFinding, ...]:
    asked = [(prompts.HARM_V2, prompts.said(it.text)) for it in found]
    told = await asker.weigh("harms", asked)
    rated = [
        RiskFinding(Risk(it.text, _severity(shares)), it.evidence)
        for it, shares in zip(found, told, strict=True)
    ]
    return tuple(sorted(rated, key=lambda it: _WORST_FIRST[it.risk.severity]))


def _severity(shares: Sequence[float] | None) -> Severity:
    if shares is None:
        return Severity.MEDIUM
    return Severity(prompts.HARM_V2.answers[shares.index(max(shares))])
