"""Where two hearings of the same speech agree. It knows words and nothing else."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from services.audio.domain import Word

_MOST_REPEATED: Final = 5
"""The longest run of known words that is looked for at the beginning of new ones."""
_ECHO: Final = 0.5
_SENTENCE_END: Final = re.compile(r"[.!?。！？…؟۔।॥]['\"”»)]*$")  # noqa: RUF001 - as they are written
_SPOKEN: Final = re.compile(r"[^\w]+")


def prefix(before: Sequence[Word], after: Sequence[Word]) -> int:
    """How many words two hearings share from their beginning. Case and punctuation are free."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if _plain(one) != _plain(other):
            break
        count += 1
    return count


def known(committed: Sequence[Word], heard: Sequence[Word], before: Sequence[Word] = ()) -> int:
    """How many words at the beginning of what was heard are those committed before; `before` are
    older ones, whose last sounds may be heard again.

    They need not be spelled the same: where they differ, times tell.
    """
    shared = prefix(committed, heard)
    if committed and shared == len(committed):
        return shared
    old = [*before, *committed]
    if not old:
        return 0
    passed = sum((it.start_seconds + it.end_seconds) / 2 < old[-1].end_seconds for it in heard)
    for size in range(min(_MOST_REPEATED, len(old), len(heard)), 0, -1):
        # The nearest to where times say first: of words that repeat themselves all would do.
        for place in range(max(0, passed - size), passed + 1):
            found, again = heard[place : place + size], old[-size:]
            if len(found) < size or prefix(again, found) < size:
                continue
            # Said twice takes as long as said once; an echo of what was cut off is shorter.
            if place < passed or _seconds(found) < _ECHO * _seconds(again):
                return place + size
    return passed


def _seconds(words: Sequence[Word]) -> float:
    return words[-1].end_seconds - words[0].start_seconds


def last_sentence(words: Sequence[Word]) -> int:
    """How many words there are up to the end of the last whole sentence."""
    ends = (
        place for place in range(len(words), 0, -1) if _SENTENCE_END.search(words[place - 1].text)
    )
    return next(ends, 0)


def sentences(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Split words after each whole sentence."""
    begin = 0
    for place, word in enumerate(words, 1):
        if _SENTENCE_END.search(word.text) or place == len(words):
            yield words[begin:place]
            begin = place


def _plain(word: Word) -> str:
    return _SPOKEN.sub("", word.text).casefold()
