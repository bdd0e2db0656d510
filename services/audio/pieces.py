"""Cuts a long recording into pieces that a model takes in one pass, where it is quietest.

So memory is bounded by a piece and not by the recording, recordings share a model piece by piece,
and a call that nobody waits for any more ends within one. It knows no speech: only loudness.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.audio.domain import Segment, Word
from services.media.audio import SAMPLE_RATE_HZ, Samples

SHARED_SECONDS: Final = 30.0
"""A piece while people speak live: it keeps the model for one window of Whisper's."""
PIECE_SECONDS: Final = 300.0
"""Ten windows of Whisper's thirty seconds: of the last, what is left empty is paid for nothing."""
SEARCH_SECONDS: Final = 15.0
"""How far before its longest end a piece may be cut; people pause more often than that."""
_FRAME: Final = SAMPLE_RATE_HZ // 10


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording."""

    start_seconds: float
    samples: Samples

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def end_seconds(self) -> float:
        """Where it ends in the recording."""
        return self.start_seconds + self.seconds


def placed(segment: Segment, piece: Piece, before: Sequence[Segment]) -> Segment:
    """Bring a segment of a piece, and its words, to the recording's time, in order after those
    before it and within the piece: a model may misjudge times.
    """
    earliest = before[-1].end_seconds if before else piece.start_seconds

    def within(seconds: float, least: float) -> float:
        return min(max(piece.start_seconds + seconds, least), piece.end_seconds)

    start = within(segment.start_seconds, earliest)
    end = within(segment.end_seconds, start)
    words, at = list[Word](), start
    for word in segment.words:
        begin = min(within(word.start_seconds, at), end)
        at = min(within(word.end_seconds, begin), end)
        words.append(replace(word, start_seconds=begin, end_seconds=at))
    return replace(segment, start_seconds=start, end_seconds=end, words=tuple(words))


async def cut(
    blocks: AsyncIterator[Samples], *, seconds: Callable[[], float] = lambda: PIECE_SECONDS
) -> AsyncIterator[Piece]:
    """Yield the pieces of a recording in order; together they are the whole, each at most
    `seconds` long, which is asked again for each.
    """
    start, held, waiting = 0, 0, list[Samples]()
    async for block in blocks:
        waiting.append(block)
        held += len(block)
        while held >= (most := int(seconds() * SAMPLE_RATE_HZ)):
            whole = np.concatenate(waiting)
            end = _quietest(whole[:most])
            yield Piece(start / SAMPLE_RATE_HZ, whole[:end])
            # A copy: a view would keep the whole until the next piece.
            start, held, waiting = start + end, held - end, [whole[end:].copy()]
    if held:
        yield Piece(start / SAMPLE_RATE_HZ, np.concatenate(waiting))


def _quietest(samples: Samples) -> int:
    frames = min(int(SEARCH_SECONDS * SAMPLE_RATE_HZ), len(samples) // 2) // _FRAME
    if not frames:
        return len(samples)
    tail = samples[len(samples) - frames * _FRAME :].reshape(frames, _FRAME)
    loudness = np.square(tail).mean(axis=1)
    # The last of equals: in silence, a piece is as long as it may be.
    last = frames - 1 - int(np.argmin(loudness[::-1]))
    return len(samples) - (frames - last) * _FRAME + _FRAME // 2
