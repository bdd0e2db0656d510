"""The times of words around silence that was cut out before the model heard them: a word that it
hears at the seam may be placed on the other side, minutes from the sentence that it belongs to.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.audio.domain import Word

_SILENCE_SECONDS: Final = 2.0
"""Nobody pauses for so long after the first word of a sentence, or before the last."""
_SEAM_SECONDS: Final = 0.8
"""What is kept of the silence on both sides of a seam: what lies beyond is where it was said."""


def gathered(sentence: Sequence[Word]) -> list[Word]:
    """Move the first words of a sentence, or the last, to the others that silence parts them from,
    when they take no longer than a seam.
    """
    words = list(sentence)
    for place in range(1, len(words)):
        before, after = words[place - 1], words[place]
        silence = after.start_seconds - before.end_seconds
        if silence < _SILENCE_SECONDS:
            continue
        if before.end_seconds - words[0].start_seconds <= _SEAM_SECONDS:
            words[:place] = [_moved(it, silence) for it in words[:place]]
        elif words[-1].end_seconds - after.start_seconds <= _SEAM_SECONDS:
            words[place:] = [_moved(it, -silence) for it in words[place:]]
    return words


def _moved(word: Word, seconds: float) -> Word:
    start, end = word.start_seconds + seconds, word.end_seconds + seconds
    return replace(word, start_seconds=start, end_seconds=end)
