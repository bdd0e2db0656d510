"""Who said what: words and the turns of voices, put together. It knows no engine."""

import itertools
import logging
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.audio.domain import Segment, SpeakerTurn, Transcript, Word, segment_of
from services.audio.ports import Diarization
from services.chassis.errors import Unavailable

_log = logging.getLogger(__name__)


async def told_apart(transcript: Transcript, diarization: Diarization | None) -> Transcript:
    """Name the speakers of a transcript; without them when they cannot be told apart."""
    if diarization is None:
        return transcript
    try:
        return named(transcript, await diarization.turns())
    except Unavailable as failed:
        _log.warning("speakers were not told apart", extra={"problem": str(failed)})
        return transcript


def named(transcript: Transcript, turns: Sequence[SpeakerTurn]) -> Transcript:
    """Say of each segment who speaks, as `S1`, `S2` in the order in which they first do. Segments
    are split where the voice changes between two words; the text stays the same, word by word.
    Turns are in order of time and do not overlap.
    """
    voices = dict[int, str]()

    def name(segment: Segment) -> Iterator[Segment]:
        spoken = ((_voice(word, turns), word) for word in segment.words)
        for voice, said in itertools.groupby(spoken, key=lambda it: it[0]):
            words = [word for _, word in said]
            whole = len(words) == len(segment.words)
            part = segment if whole else segment_of(words, segment.language)
            yield replace(part, speaker=voices.setdefault(voice, f"S{len(voices) + 1}"))

    segments = tuple(part for segment in transcript.segments for part in name(segment))
    return replace(transcript, segments=segments, speakers_told_apart=True)


def _voice(word: Word, turns: Sequence[SpeakerTurn]) -> int:
    """Whose turn shares most with the word; where none does, the nearest."""
    # Hours have thousands of words and of turns: only those around the word are looked at.
    first = bisect_left(turns, word.start_seconds, key=lambda it: it.end_seconds)
    after = bisect_left(turns, word.end_seconds, key=lambda it: it.start_seconds)
    near = turns[max(0, first - 1) : after + 1]
    best = max(near, key=lambda it: _shared(word, it), default=None)
    return best.voice if best else 0


def _shared(word: Word, turn: SpeakerTurn) -> float:
    """The seconds that both share; below zero, the seconds between them."""
    begins = max(word.start_seconds, turn.start_seconds)
    return min(word.end_seconds, turn.end_seconds) - begins
