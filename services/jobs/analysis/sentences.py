"""What was said, sentence by sentence, each with the stretch of speech that it stands in; and which
words two texts share. It asks no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.jobs.content import Evidence, Segment, Transcript
from services.jobs.pipelines import judging

_LEAST_LETTERS: Final = 8
"""What is shorter does nothing by itself: yes, thank you."""
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


def names(name: str, source: str) -> bool:
    """Whether a source says a name as a whole word or several."""
    wanted = _WORDS.findall(name.casefold())
    spoken = f" {' '.join(_WORDS.findall(source.casefold()))} "
    return bool(wanted) and f" {' '.join(wanted)} " in spoken


def _stems(text: str) -> set[str]:
    words = _WORDS.findall(text.casefold())
    # A script without spaces makes one word of a sentence: there each letter counts.
    return {
        stem
        for word in words
        for stem in ((word[:_STEM],) if word.isascii() or len(word) < 12 else tuple(word))
        if len(word) >= _LEAST_WORD
    }
