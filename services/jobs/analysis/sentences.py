"""What was said, sentence by sentence, each with the stretch of speech that it stands in; and which
words two texts share. It asks no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.jobs.content import Evidence, Segment, Transcript
from services.jobs.pipelines import judging

_LEAST_LETTERS: Final = 7
"""What is shorter does nothing by itself: yes, thanks. "I'll do it" has as many."""
_MOST_CHARS: Final = 600
_QUESTION: Final = re.compile(r"[?？؟;]['\")»”]*$")  # noqa: RUF001 - these end questions too
_WORDS: Final = re.compile(r"[^\W_]+")
_STEM: Final = 5
"""Letters by which words are compared: what follows is mostly grammar."""
_LEAST_WORD: Final = 3


@dataclass(frozen=True)
class Sentence:
    """A sentence as it was said."""

    text: str
    speaker: str
    """Empty: unknown."""
    evidence: Evidence
    """The stretch of speech that it stands in."""

    @property
    def is_question(self) -> bool:
        """Whether it is written as one."""
        return bool(_QUESTION.search(self.text))


def sentences(transcript: Transcript) -> tuple[Sentence, ...]:
    """The sentences of a transcript that are long enough to do something, in order of time."""
    return tuple(
        Sentence(text[:_MOST_CHARS], segment.speaker, evidence_of(segment))
        for segment in transcript.segments
        for text in judging.sentences(segment.text)
        if sum(it.isalpha() for it in text) >= _LEAST_LETTERS
    )


def evidence_of(segment: Segment) -> Evidence:
    """A stretch of speech as what a claim may rest on."""
    return Evidence(segment.text, segment.start_seconds, segment.end_seconds, segment.speaker)


def speakers(said: Sequence[Sentence]) -> tuple[str, ...]:
    """Who speaks, in the order of their first sentences."""
    return tuple(dict.fromkeys(it.speaker for it in said if it.speaker))


def share_words(claim: str, source: str) -> bool:
    """Whether a claim has a word of its source, however it is inflected."""
    return bool(_stems(claim) & _stems(source))


def repeats(claim: str, source: str) -> bool:
    """Whether a text says another again: half of the long words of the shorter stand in both."""
    ours, theirs = (
        {it for it in _stems(text) if len(it) > _LEAST_WORD} for text in (claim, source)
    )
    return 2 * len(ours & theirs) >= max(min(len(ours), len(theirs)), 1)


def says_nothing_new(text: str) -> bool:
    """Whether a reply has short words alone, as "okay, I'll do that" has."""
    return all(len(it) < _STEM for it in _WORDS.findall(text))


def names(name: str, source: str) -> bool:
    """Whether a source says a name as a whole word or several."""
    return _says(_WORDS.findall(name.casefold()), source.casefold())


def is_name(name: str, everything: str) -> bool:
    """Whether what was named may be somebody: nowhere in all that was said is it written small.

    In a script that writes nothing small, anything may be.
    """
    if name.lower() == name.upper():
        return True
    words = _WORDS.findall(name.lower())
    return len("".join(words)) > 1 and not _says(words, everything)


def _says(words: Sequence[str], source: str) -> bool:
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(_WORDS.findall(source))} "


def _stems(text: str) -> set[str]:
    words = _WORDS.findall(text.casefold())
    # A script without spaces makes one word of a sentence: there each letter counts.
    return {
        stem
        for word in words
        for stem in ((word[:_STEM],) if word.isascii() or len(word) < 12 else tuple(word))
        if len(word) >= _LEAST_WORD
    }
