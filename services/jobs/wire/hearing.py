"""What passes between sessions and the audio room."""

from typing import Final

from mesh.audio.v1 import audio_service_pb2 as pb

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
from services.jobs.wire.times import seconds_from_pb
from services.jobs.wire.transcripts import segment_from_pb, transcript_from_pb, word_from_pb

ENCODINGS: Final = {
    pb.AUDIO_ENCODING_PCM16: Encoding.PCM16,
    pb.AUDIO_ENCODING_PCM_FLOAT32: Encoding.FLOAT32,
    pb.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    pb.AUDIO_ENCODING_OGG_OPUS: Encoding.OGG_OPUS,
    pb.AUDIO_ENCODING_WEBM_OPUS: Encoding.WEBM_OPUS,
    pb.AUDIO_ENCODING_CONTAINER: Encoding.CONTAINER,
}
_TO_PB: Final = {encoding: value for value, encoding in ENCODINGS.items()}


def listening_to_pb(asked: Opening | Resumption) -> pb.TranscribeRequest:
    """How the audio room is to hear."""
    if isinstance(asked, Resumption):
        settings = pb.TranscribeSettings(
            session_id=asked.session_id,
            resume_token=asked.token,
            acknowledged_offset=asked.acknowledged,
            received_segments=asked.segments,
            words=asked.words,
        )
    else:
        settings = pb.TranscribeSettings(
            sample_rate_hz=asked.sample_rate_hz,
            language=asked.language,
            encoding=_TO_PB[asked.encoding],
            words=asked.words,
            hints=asked.hints,
        )
    return pb.TranscribeRequest(settings=settings)


def message_to_pb(message: Chunk | End) -> pb.TranscribeRequest:
    """What the audio room is to hear."""
    if isinstance(message, End):
        return pb.TranscribeRequest(end=pb.EndOfStream())
    return pb.TranscribeRequest(chunk=message.data, chunk_offset=message.offset)


def recording_to_pb(language: str) -> pb.TranscribeRecordingRequest:
    """How the audio room is to hear a recording."""
    return pb.TranscribeRecordingRequest(settings=pb.RecordingSettings(language=language))


def progress_from_pb(progress: pb.UploadProgress) -> tuple[float, float]:
    """How many seconds of a recording were heard, and about how many there are; zero: unknown."""
    return seconds_from_pb(progress.heard), seconds_from_pb(progress.duration)


def heard_from_pb(response: pb.TranscribeResponse) -> Heard | None:
    """What the audio room tells; None for what a newer one tells besides."""
    match response.WhichOneof("message"):
        case "ready":
            ready = response.ready
            return Ready(
                ready.session_id,
                ready.resume_token,
                ready.next_offset,
                ready.kept_for.ToTimedelta(),
            )
        case "acknowledged":
            return Acknowledged(response.acknowledged.offset)
        case "segment":
            return SegmentHeard(segment_from_pb(response.segment))
        case "partial_text":
            partial = response.partial_text
            words = tuple(map(word_from_pb, partial.words))
            return Partial(partial.committed, partial.tentative, words)
        case "final":
            return Whole(transcript_from_pb(response.final))
        case _:
            return None
