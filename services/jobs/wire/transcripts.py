"""Speech in words, as the audio room tells it and as clients are told."""

from mesh.types.v1 import transcript_pb2 as pb

from services.jobs.content import Segment, Transcript, Word
from services.jobs.wire.times import seconds_from_pb, seconds_to_pb


def transcript_from_pb(transcript: pb.Transcript) -> Transcript:
    """Read what the audio room heard."""
    return Transcript(
        text=transcript.text,
        segments=tuple(map(segment_from_pb, transcript.segments)),
        language=transcript.language,
        duration_seconds=seconds_from_pb(transcript.duration),
        confidence=transcript.confidence,
        speakers_told_apart=transcript.speakers_told_apart,
    )


def transcript_to_pb(transcript: Transcript, *, words: bool = True) -> pb.Transcript:
    """Write a transcript, with its words where they are wanted and known."""
    return pb.Transcript(
        text=transcript.text,
        segments=(segment_to_pb(it, words=words) for it in transcript.segments),
        language=transcript.language,
        duration=seconds_to_pb(transcript.duration_seconds),
        confidence=transcript.confidence,
        speakers_told_apart=transcript.speakers_told_apart,
    )


def segment_from_pb(segment: pb.Segment) -> Segment:
    """Read a segment."""
    return Segment(
        seconds_from_pb(segment.start_offset),
        seconds_from_pb(segment.end_offset),
        segment.text,
        segment.speaker,
        tuple(map(word_from_pb, segment.words)),
        segment.confidence,
        segment.language,
    )


def segment_to_pb(segment: Segment, *, words: bool = True) -> pb.Segment:
    """Write a segment, with its words where they are wanted and known."""
    return pb.Segment(
        start_offset=seconds_to_pb(segment.start_seconds),
        end_offset=seconds_to_pb(segment.end_seconds),
        text=segment.text,
        words=map(word_to_pb, segment.words) if words else (),
        confidence=segment.confidence,
        language=segment.language,
        speaker=segment.speaker,
    )


def word_from_pb(word: pb.Word) -> Word:
    """Read a word."""
    start, end = seconds_from_pb(word.start_offset), seconds_from_pb(word.end_offset)
    return Word(start, end, word.text, word.confidence)


def word_to_pb(word: Word) -> pb.Word:
    """Write a word."""
    return pb.Word(
        text=word.text,
        start_offset=seconds_to_pb(word.start_seconds),
        end_offset=seconds_to_pb(word.end_seconds),
        confidence=word.confidence,
    )
