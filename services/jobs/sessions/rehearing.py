"""A session that the audio room has lost, heard on in a new one there: where that begins, and what
its times and offsets are in the whole. It knows neither the audio room nor who keeps sessions.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from services.jobs.content import Segment, Transcript, Word
from services.jobs.sessions.domain import Hearing, Session, hearing_key
from services.jobs.sessions.live import (
    Acknowledged,
    Chunk,
    Encoding,
    End,
    Heard,
    Opening,
    Partial,
    Ready,
    Resumption,
    SegmentHeard,
    Whole,
)
from services.jobs.sessions.tape import Tape

_WIDTHS: Final = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1}
"""Bytes of a sample. What is not here can be heard from its beginning alone."""
_RATES: Final = {Encoding.MULAW: 8_000}
_RATE: Final = 16_000
_CHUNK_BYTES: Final = 256 * 1024
_PAUSE_SECONDS: Final = 1.0
"""What is shorter was lost between words, if at all."""


def resumption(session: Session, asked: Resumption) -> Resumption:
    """How the audio room is asked to go on with what it has."""
    return Resumption(
        session.hearing_id,
        session.hearing_token,
        max(0, asked.acknowledged - session.begin),
        max(0, asked.segments - session.segments_before),
        words=True,
        hearing_key=hearing_key(session.token),
    )


def opening(session: Session) -> Opening | None:
    """How it is asked to begin again. None: it cannot from the middle."""
    known = session.opening
    if known is None or known.encoding not in _WIDTHS:
        return None
    return replace(known, words=True, hearing_key=hearing_key(session.token))


def begin(opening: Opening, acknowledged: int, heard: Sequence[Segment], tape: Tape) -> int:
    """Where that begins: after what was heard, where the tape has the audio from there up to what
    the client has left; else as late as it has it from, or with what the client has.
    """
    width = _WIDTHS[opening.encoding]
    place = acknowledged
    if tape.begin <= acknowledged <= tape.end:
        words = size(opening, heard[-1].end_seconds) if heard else 0
        place = min(acknowledged, max(tape.begin, words))
    return -(-place // width) * width


def size(opening: Opening, seconds: float) -> int:
    """The bytes of so many seconds, rounded down. Zero: nobody can tell."""
    width = _WIDTHS.get(opening.encoding, 0)
    return int(seconds * _rate(opening)) * width


def hearing(
    session: Session, opening: Opening, begin: int, heard: Sequence[Segment], ready: Ready
) -> Hearing:
    """Who hears from there on, after segments that were heard before."""
    end = max(_seconds(opening, session.begin), heard[-1].end_seconds if heard else 0.0)
    gap = _seconds(opening, begin) - end
    lost = gap if gap >= _PAUSE_SECONDS else 0.0
    return Hearing(ready.session_id, ready.token, begin, len(heard), lost)


async def after(
    messages: AsyncIterator[Chunk | End], begin: int, spare: bytes = b""
) -> AsyncIterator[Chunk | End]:
    """What the new one is sent: what the client has left, then what it sends. What comes before the
    beginning is left out.
    """
    for at in range(0, len(spare), _CHUNK_BYTES):
        yield Chunk(spare[at : at + _CHUNK_BYTES], at)
    async for message in messages:
        if isinstance(message, Chunk) and message.offset is not None:
            passed = max(0, begin - message.offset)
            offset = message.offset + passed - begin
            message = Chunk(message.data[passed:], offset)
            if not message.data:
                continue
        yield message


def placed(heard: Heard, session: Session) -> Heard:
    """What it tells, in the whole."""
    if not session.begin or session.opening is None:
        return heard
    seconds = _seconds(session.opening, session.begin)
    match heard:
        case Ready():
            return replace(heard, offset=heard.offset + session.begin)
        case Acknowledged():
            return Acknowledged(heard.offset + session.begin)
        case SegmentHeard():
            return SegmentHeard(_later(heard.segment, seconds))
        case Partial():
            return replace(heard, words=tuple(_word_later(it, seconds) for it in heard.words))
        case Whole():
            told = heard.transcript
            segments = tuple(_later(it, seconds) for it in told.segments)
            duration = told.duration_seconds + seconds
            return Whole(replace(told, segments=segments, duration_seconds=duration))


def segment_of(partial: Partial) -> Segment:
    """Words that will not change, as a segment."""
    start, end = partial.words[0].start_seconds, partial.words[-1].end_seconds
    return Segment(start, end, partial.committed.strip(), words=partial.words)


def together(before: Sequence[Segment], rest: Transcript) -> Transcript:
    """All that was heard, with what was heard before. Who spoke then nobody can tell any more."""
    if not before:
        return rest
    segments = (*before, *rest.segments)
    return Transcript(
        " ".join(it.text for it in segments),
        segments,
        rest.language or before[-1].language,
        max(rest.duration_seconds, before[-1].end_seconds),
        sum(it.confidence for it in segments) / len(segments),
    )


def _seconds(opening: Opening, size: int) -> float:
    return size / (_rate(opening) * _WIDTHS[opening.encoding])


def _rate(opening: Opening) -> int:
    return opening.sample_rate_hz or _RATES.get(opening.encoding, _RATE)


def _later(segment: Segment, seconds: float) -> Segment:
    return replace(
        segment,
        start_seconds=segment.start_seconds + seconds,
        end_seconds=segment.end_seconds + seconds,
        words=tuple(_word_later(it, seconds) for it in segment.words),
    )


def _word_later(word: Word, seconds: float) -> Word:
    start, end = word.start_seconds + seconds, word.end_seconds + seconds
    return replace(word, start_seconds=start, end_seconds=end)
