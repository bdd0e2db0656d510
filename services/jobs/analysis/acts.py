"""Finds out what sentences do, by a language model that tells how likely each answer is.

What seems likelier of a sentence than that it does nothing is a claim, or several. Each is checked
by asking whether the sentence bears it out. Both answers are weighed against what the model says of
lines that do nothing and of lines that plainly do it, and what the sentence bears out best is kept.
It knows neither who asks the model nor what follows from an act.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.jobs.analysis.leaning import weights
from services.jobs.analysis.sentences import Sentence
from services.jobs.pipelines import session_prompts as prompts
from services.jobs.pipelines.prompts import Choice
from services.jobs.pipelines.session_prompts import Act

_LEAST: Final = 0.82
"""How much a claim must weigh, where 0 is what lines weigh that do nothing, and 1 what those do
that do it as people do. Found on training seeds of `bench.quality`, with two models."""


class Weigher(Protocol):
    """Asks a language model how likely it would give each of some answers."""

    async def weigh(
        self, name: str, questions: Sequence[tuple[Choice, str]]
    ) -> Sequence[Sequence[float] | None]:
        """Weigh the answers to each question of a kind, together 1; where the engine does not tell,
        the one that it chooses has all. None where there is no answer to be had.
        """
        ...


@dataclass(frozen=True)
class Acts:
    """What sentences do."""

    of: Mapping[str, Act]
    """By their texts; of those that do nothing there is none."""
    refuted: frozenset[str]
    """Texts of sentences that bear out nothing of what was claimed of them."""


@dataclass(frozen=True)
class _Claim:
    text: str
    act: Act
    shares: Sequence[float]
    """How likely the act is, and that the sentence does nothing."""


async def acts(said: Sequence[Sentence], weigher: Weigher) -> Acts:
    """Find out what sentences do. What is said again in the same words is asked of once.

    What could not be checked is told all the same.
    """
    asks = {it.text: it.is_question for it in said}
    told = await weigher.weigh("does", [(prompts.ACT_V3, prompts.said(it)) for it in asks])
    claims = [
        claim
        for (text, is_question), shares in zip(asks.items(), told, strict=True)
        if shares is not None
        for claim in _claims(text, shares, is_question=is_question)
    ]
    # What is decided is often said as what somebody will do, and that seldom as what is decided.
    borne_out = sorted(
        (claim.act is Act.DECISION, weight, claim.text, claim.act)
        for claim, weight in await _checked(claims, weigher)
        if weight >= _LEAST
    )
    of = {text: act for _, _, text, act in borne_out}
    return Acts(of, frozenset({it.text for it in claims} - {*of}))


def _claims(text: str, shares: Sequence[float], *, is_question: bool) -> Sequence[_Claim]:
    """What is likelier than that a sentence does nothing. A question may only request."""
    may_be = (Act.REQUEST,) if is_question else prompts.CHECKS
    claims = [_Claim(text, act, _shares(act, shares)) for act in may_be]
    return [it for it in claims if it.shares[0] > it.shares[1]]


async def _checked(claims: Sequence[_Claim], weigher: Weigher) -> Sequence[tuple[_Claim, float]]:
    """Weigh claims by how likely they seemed, and by whether they are said to be borne out."""
    of_act: dict[Act, list[_Claim]] = {}
    for claim in claims:
        of_act.setdefault(claim.act, []).append(claim)
    seeming = [(prompts.ACT_V3, it) for act in of_act for it in _known(act)]
    bearing = [
        (prompts.CHECKS[act].asked, it)
        for act, made in of_act.items()
        for it in (*_known(act), *(prompts.said(claim.text) for claim in made))
    ]
    asked = list(dict.fromkeys([*seeming, *bearing]))
    told = dict(zip(asked, await weigher.weigh("checks", asked), strict=True)) if asked else {}
    return [it for act, made in of_act.items() for it in _weighed(act, made, told)]


def _weighed(
    act: Act,
    claims: Sequence[_Claim],
    told: Mapping[tuple[Choice, str], Sequence[float] | None],
) -> Iterator[tuple[_Claim, float]]:
    check, noes = prompts.CHECKS[act], len(prompts.IDLE)
    known = _known(act)
    seem = [it and _shares(act, it) for it in (told[prompts.ACT_V3, line] for line in known)]
    bear = [told[check.asked, it] for it in (*known, *(prompts.said(it.text) for it in claims))]
    seems = weights([*seem, *(it.shares for it in claims)], noes, len(known))
    borne = weights(bear, noes, len(known))
    for claim, one, other in zip(claims, seems, borne, strict=True):
        # What nobody could check weighs enough: who asks names it as not whole.
        yield claim, _LEAST if one is None or other is None else (one + other) / 2


def _known(act: Act) -> Sequence[str]:
    """What is asked to know what a model's answers weigh."""
    return [prompts.said(it) for it in (*prompts.IDLE, *prompts.CHECKS[act].plain)]


def _shares(act: Act, told: Sequence[float]) -> Sequence[float]:
    """How likely an act is, and that the sentence does nothing."""
    likely = dict(zip(map(Act, prompts.ACT_V3.answers), told, strict=True))
    return likely[act], likely[Act.OTHER]
