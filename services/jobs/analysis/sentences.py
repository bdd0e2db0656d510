"""What was said, sentence by sentence, each with the stretch of speech that it stands in; and which
words two texts share. It asks no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.jobs.content import Evidence, Segment, Transcript
from services.jobs.pipelines import wording
from services.jobs.pipelines.prompts import line

_LEAST_LETTERS: Final = 7
"""What is shorter does nothing by itself: yes, thanks. "I'll do it" has as many."""
_MOST_CHARS: Final = 600
_QUESTION: Final = re.compile(r"(?:[?？؟;]|(?:か|吗|嗎)[。.]?)['\")»”’」』）]*$")  # noqa: RUF001 - these end questions too
_GRAMMAR: Final = re.compile("[\u3040-\u309f]")
"""Hiragana: in Japanese what is not grammar is mostly written otherwise."""
_ARTICLE: Final = re.compile(
    r"\b(?:[dmsk]?ein(?:e[mnrs]?)?|der|die|das|den|dem|des|unser\w*) $", re.I
)
"""Where all nouns are written large, as in German, what has an article is mostly a thing."""
_WORDS: Final = re.compile(r"[^\W_]+")
_STEM: Final = 5
"""Letters by which words are compared: what follows is mostly grammar."""
_LEAST_WORD: Final = 3
_LEAST_NAME: Final = 2


@dataclass(frozen=True)
class Sentence:
    """A sentence as it was said."""

    text: str
    speaker: str
    """Empty: unknown."""
    evidence: Evidence
    """The stretch of speech that it stands in."""
    reply: str = ""
    """What is said next, up to the end of a sentence that is long enough to do something."""

    @property
    def is_question(self) -> bool:
        """Whether it is written as one."""
        return bool(_QUESTION.search(self.text))


def sentences(transcript: Transcript) -> tuple[Sentence, ...]:
    """The sentences of a transcript that are long enough to do something, in order of time."""
    said: list[Sentence] = []
    reply = ""
    for segment in reversed(transcript.segments):
        for text in reversed([line(it)[:_MOST_CHARS] for it in wording.sentences(segment.text)]):
            if wording.weight(text) < _LEAST_LETTERS:
                reply = f"{text} {reply}".strip()[:_MOST_CHARS]
                continue
            said.append(Sentence(text, segment.speaker, evidence_of(segment), reply))
            reply = text
    return tuple(reversed(said))


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
        wording.stems(text, letters=_STEM, least=_LEAST_WORD + 1) for text in (claim, source)
    )
    return 2 * len(ours & theirs) >= max(min(len(ours), len(theirs)), 1)


def says_nothing_new(text: str) -> bool:
    """Whether a reply has short words alone, as "okay, I'll do that" has."""
    return all(len(_GRAMMAR.sub("", it)) < _STEM for it in wording.words(text))


def names(name: str, source: str) -> bool:
    """Whether a source says a name as a whole word or several."""
    return _said(wording.plain(name.casefold()), wording.plain(source.casefold()))


def is_name(name: str, everything: str) -> bool:
    """Whether what was named may be somebody: nowhere in all that was said is it written small, or
    has an article.

    In a script that writes nothing small, anything may be.
    """
    if name.lower() == name.upper():
        return True
    small, said = wording.plain(name.lower()), wording.plain(everything)
    if sum(it.isalpha() for it in small) < _LEAST_NAME or _said(small, said):
        return False
    written = re.finditer(rf"\b{re.escape(wording.plain(name))}\b", said)
    return not any(_ARTICLE.search(said, 0, it.start()) for it in written)


def _said(name: str, source: str) -> bool:
    if wording.is_unspaced(name):
        return name in source
    words = _WORDS.findall(name)
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(_WORDS.findall(source))} "


def _stems(text: str) -> set[str]:
    return wording.stems(text, letters=_STEM, least=_LEAST_WORD)
