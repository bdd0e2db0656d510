"""How far what was found in a dialogue is from what follows from it.

What was found is a scripted point when it has at least `SHARED` of the point's content words, each
by its first letters. Each matches one at most: the best pair of all first, then the best of the
rest. An owner is right when it is the person's name, or the label of their voice.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.quality import scoring
from bench.quality.dialogues.scripts import Kind, Point, Script

SHARED: Final = 0.6
_STEM: Final = 5
_IDLE: Final = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "do", "does", "for", "from", "has"),
        *("have", "i", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our", "she", "so"),
        *("that", "the", "their", "them", "then", "there", "they", "this", "to", "us", "was", "we"),
        *("were", "what", "when", "where", "which", "who", "why", "will", "with", "you", "your"),
    )
)


@dataclass(frozen=True)
class Found:
    """Something that a method says follows."""

    kind: Kind
    text: str
    owner: str = ""


@dataclass(frozen=True)
class Answer(scoring.Answer[Sequence[Found]]):
    """What a method found in a dialogue; it rests on stretches of speech."""

    claims: int = 0
    """What was claimed before claims were checked."""
    dropped: int = 0
    """Those of them that the check refused."""


@dataclass(frozen=True)
class Tally:
    """What was found of one kind."""

    hits: int
    wrong: int
    """Found, and nothing of the script."""
    missed: int


@dataclass(frozen=True)
class Score:
    """A dialogue scored."""

    tallies: Mapping[Kind, Tally]
    owners: int
    """Action items found whose owner is right."""
    answer: Answer = field(repr=False)


def score(script: Script, names: Mapping[str, str], answer: Answer) -> Score:
    """Compare what was found with the script; `names` tells the person behind a voice's label."""
    tallies, owners = {}, 0
    for kind in Kind:
        points = script.of(kind)
        found = [it for it in answer.found if it.kind is kind]
        pairs = matched(points, found)
        tallies[kind] = Tally(len(pairs), len(found) - len(pairs), len(points) - len(pairs))
        if kind is Kind.ACTION:
            owners = sum(_is(found[it].owner, points[at].owner, names) for at, it in pairs)
    return Score(tallies, owners, answer)


def matched(points: Sequence[Point], found: Sequence[Found]) -> list[tuple[int, int]]:
    """Pair the places of points with those of what was found, one to one."""
    shares = sorted(
        (
            (-_share(point.text, each.text), at, place)
            for at, point in enumerate(points)
            for place, each in enumerate(found)
        ),
    )
    pairs: list[tuple[int, int]] = []
    for share, at, place in shares:
        free = all(at != it and place != other for it, other in pairs)
        if free and -share >= SHARED:
            pairs.append((at, place))
    return pairs


def says(source: str, claim: str) -> bool:
    """Whether a text has enough of a claim's content words to be what it was drawn from."""
    return _share(claim, source) >= SHARED


def f1(scores: Sequence[Score], kind: Kind) -> float:
    """F1 over all dialogues."""
    tallies = [it.tallies[kind] for it in scores]
    hits = sum(it.hits for it in tallies)
    others = sum(it.wrong + it.missed for it in tallies)
    return scoring.f1(hits, others)


def precision(scores: Sequence[Score], kind: Kind) -> float:
    """The share of what was found that is scripted."""
    tallies = [it.tallies[kind] for it in scores]
    return _of(sum(it.hits for it in tallies), sum(it.hits + it.wrong for it in tallies))


def recall(scores: Sequence[Score], kind: Kind) -> float:
    """The share of what is scripted that was found."""
    tallies = [it.tallies[kind] for it in scores]
    return _of(sum(it.hits for it in tallies), sum(it.hits + it.missed for it in tallies))


def owners_right(scores: Sequence[Score]) -> float:
    """The share of the action items found whose owner is right."""
    return _of(sum(it.owners for it in scores), sum(it.tallies[Kind.ACTION].hits for it in scores))


def _of(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _is(told: str, name: str, names: Mapping[str, str]) -> bool:
    told = told.strip()
    return name.casefold() in (told.casefold(), names.get(told, "").casefold())


def _share(claim: str, source: str) -> float:
    wanted = _words(claim)
    return len(wanted & _words(source)) / len(wanted) if wanted else 0.0


def _words(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9]+", text.lower().replace("'", ""))
    return frozenset(it[:_STEM] for it in words if it not in _IDLE)
