"""What each sentence of a summary rests on: the fewest of the texts it was made of that have its
words. A sentence of which they have hardly any rests on nothing. It asks no model.
"""

from collections.abc import Sequence
from typing import Final

from services.jobs.content import Evidence, Finding
from services.jobs.pipelines import wording
from services.jobs.pipelines.prompts import line

_BORNE_OUT: Final = 1 / 3
"""The share of a sentence's words that the texts have: a summary has words of its own."""
_MOST: Final = 8
"""The most texts that are named for one sentence."""
_STEM: Final = 4
"""Letters by which words are compared: what follows is mostly grammar."""
_SHORT: Final = 3
"""Letters of words that may bear one out, but need not be borne out: mostly they are grammar."""


def cited(summary: str, sources: Sequence[Evidence]) -> tuple[tuple[Finding, ...], int]:
    """Find the sentences of a summary that rest on its sources, and how many do not."""
    marks = [_marks(it.text, _SHORT) for it in sources]
    sentences = [line(it) for it in wording.sentences(summary)]
    places = [_places(_marks(it, _STEM), marks) for it in sentences]
    found = tuple(
        Finding(sentence, tuple(sources[at] for at in each))
        for sentence, each in zip(sentences, places, strict=True)
        if each
    )
    return found, len(sentences) - len(found)


def text_of(sentences: Sequence[Finding]) -> str:
    """Put sentences together again."""
    return wording.joined([it.text for it in sentences])


def _places(wanted: set[str], marks: Sequence[set[str]]) -> list[int]:
    # A short word is the stem of a longer one: box, boxes.
    borne = [{it for it in wanted if it in has or it[:_SHORT] in has} for has in marks]
    covered: set[str] = set().union(*borne)
    if not covered or len(covered) < _BORNE_OUT * len(wanted):
        return []
    places: list[int] = []
    left = covered
    while left and len(places) < _MOST:
        best = max(range(len(borne)), key=lambda it: len(borne[it] & left))
        places.append(best)
        left = left - borne[best]
    return sorted(places)


def _marks(text: str, least: int) -> set[str]:
    return wording.stems(text, letters=_STEM, least=least)
