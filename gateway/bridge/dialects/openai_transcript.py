"""A transcript in the words of OpenAI's clients: plain, or with its times."""

import math
import zlib
from typing import Literal

from google.protobuf.duration_pb2 import Duration
from mesh.types.v1 import transcript_pb2 as pb
from pydantic import BaseModel


class Usage(BaseModel):
    """What a transcript cost: the seconds of its audio."""

    type: Literal["duration"] = "duration"
    seconds: float


class Transcription(BaseModel):
    """What was said."""

    text: str
    usage: Usage


class Word(BaseModel):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float


class Segment(BaseModel):
    """A stretch of speech and its times in seconds.

    `avg_logprob` is the logarithm of the confidence. What Whisper's own output has besides is there
    for clients that demand it: `tokens` are not told, and only voices are heard.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float = 0.0


class VerboseTranscription(BaseModel):
    """What was said and when; the language as an ISO 639-1 code, times in seconds."""

    task: Literal["transcribe"] = "transcribe"
    language: str
    duration: float
    text: str
    segments: list[Segment] | None = None
    words: list[Word] | None = None
    usage: Usage


class SpokenSegment(BaseModel):
    """What one speaker said, and its times in seconds. Speakers are `A`, `B` ... in the order in
    which they first speak; where they were not told apart, all is said by `A`.
    """

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    speaker: str
    start: float
    end: float
    text: str


class DiarizedTranscription(BaseModel):
    """Who said what and when. `speakers_told_apart` is beyond OpenAI's shape: whether they were."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    text: str
    segments: list[SpokenSegment]
    usage: Usage
    speakers_told_apart: bool


def plain(transcript: pb.Transcript) -> Transcription:
    """Write the text alone."""
    return Transcription(text=transcript.text, usage=usage(transcript.duration))


def verbose(transcript: pb.Transcript, *, segments: bool, words: bool) -> VerboseTranscription:
    """Write the text with the times of its segments, of its words, or of both."""
    spoken = transcript.segments
    return VerboseTranscription(
        language=transcript.language,
        duration=seconds(transcript.duration),
        text=transcript.text,
        segments=[_segment(place, it) for place, it in enumerate(spoken)] if segments else None,
        words=[_word(word) for it in spoken for word in it.words] if words else None,
        usage=usage(transcript.duration),
    )


def diarized(transcript: pb.Transcript) -> DiarizedTranscription:
    """Write who said what and when."""
    return DiarizedTranscription(
        duration=seconds(transcript.duration),
        text=transcript.text,
        segments=spoken(transcript),
        usage=usage(transcript.duration),
        speakers_told_apart=transcript.speakers_told_apart,
    )


def spoken(transcript: pb.Transcript) -> list[SpokenSegment]:
    """Write the segments with their speakers."""
    labels: dict[str, str] = {}
    return [
        SpokenSegment(
            id=f"seg_{place}",
            speaker=labels.setdefault(it.speaker, _label(len(labels))),
            start=seconds(it.start_offset),
            end=seconds(it.end_offset),
            text=it.text,
        )
        for place, it in enumerate(transcript.segments)
    ]


def usage(duration: Duration) -> Usage:
    """Write what so much audio cost."""
    return Usage(seconds=seconds(duration))


def seconds(duration: Duration) -> float:
    """A duration in seconds, to the millisecond."""
    return round(duration.ToMilliseconds() / 1_000, 3)


def _label(place: int) -> str:
    """`A` to `Z`, then `AA`, `AB` ..."""
    before, letter = divmod(place, 26)
    return (_label(before - 1) if before else "") + chr(ord("A") + letter)


def _segment(place: int, segment: pb.Segment) -> Segment:
    text = segment.text.encode()
    start = seconds(segment.start_offset)
    return Segment(
        id=place,
        seek=round(start * 100),
        start=start,
        end=seconds(segment.end_offset),
        text=segment.text,
        avg_logprob=round(math.log(min(segment.confidence, 1.0)), 4) if segment.confidence else 0.0,
        # As Whisper reckons it: high for text that repeats itself.
        compression_ratio=round(len(text) / len(zlib.compress(text)), 4),
    )


def _word(word: pb.Word) -> Word:
    return Word(word=word.text, start=seconds(word.start_offset), end=seconds(word.end_offset))
