"""Between the contract of the audio room and its own words. Total, and without I/O."""

from typing import assert_never

from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import model_pb2, transcript_pb2, usage_pb2

from services.audio.domain import (
    Model,
    Reached,
    Received,
    Segment,
    Transcript,
    Transcription,
    Voicing,
    Wish,
    Word,
)
from services.audio.live import (
    Acknowledged,
    Chunk,
    End,
    Opening,
    Partial,
    Ready,
    Resumption,
    SegmentHeard,
    Told,
    Whole,
)
from services.media.speech import Encoding

_ENCODINGS = {
    pb.AUDIO_ENCODING_UNSPECIFIED: Encoding.PCM16,
    pb.AUDIO_ENCODING_PCM16: Encoding.PCM16,
    pb.AUDIO_ENCODING_PCM_FLOAT32: Encoding.FLOAT32,
    pb.AUDIO_ENCODING_MULAW: Encoding.MULAW,
    pb.AUDIO_ENCODING_OGG_OPUS: Encoding.OGG,
    pb.AUDIO_ENCODING_WEBM_OPUS: Encoding.WEBM,
    pb.AUDIO_ENCODING_CONTAINER: Encoding.CONTAINER,
}


Asked = (
    pb.TranscribeSettings
    | pb.TranscribeUploadRequest
    | pb.TranscribeUploadStreamRequest
    | pb.RecordingSettings
)


def wish_from_pb(asked: Asked) -> Wish:
    """How speech is to be heard."""
    return Wish(asked.language, tuple(asked.hints))


def settings_from_pb(settings: pb.TranscribeSettings) -> Opening | Resumption:
    """What a stream begins with."""
    if settings.session_id:
        return Resumption(
            settings.session_id,
            settings.resume_token,
            settings.acknowledged_offset,
            settings.received_segments,
        )
    encoding = _ENCODINGS[settings.encoding]
    return Opening(wish_from_pb(settings), encoding, settings.sample_rate_hz)


def piece_from_pb(request: pb.TranscribeRecordingRequest) -> Chunk | End | None:
    """What a recording goes on with; None for settings, which it may only begin with."""
    match request.WhichOneof("message"):
        case "chunk":
            return Chunk(request.chunk)
        case "end":
            return End()
        case _:
            return None


def message_from_pb(request: pb.TranscribeRequest) -> Chunk | End | None:
    """What a stream goes on with; None for settings, which it may only begin with."""
    match request.WhichOneof("message"):
        case "chunk":
            offset = request.chunk_offset if request.HasField("chunk_offset") else None
            return Chunk(request.chunk, offset)
        case "end":
            return End()
        case _:
            return None


def told_to_pb(told: Told, *, words: bool) -> pb.TranscribeResponse:
    """What a stream is told."""
    match told:
        case Ready():
            ready = pb.TranscribeReady(
                session_id=told.session_id, resume_token=told.token, next_offset=told.offset
            )
            ready.kept_for.FromTimedelta(told.kept_for)
            return pb.TranscribeResponse(ready=ready)
        case Acknowledged():
            return pb.TranscribeResponse(acknowledged=pb.AudioAcknowledged(offset=told.offset))
        case Voicing():
            activity = pb.VoiceActivity(speaking=told.speaking, offset=_duration(told.seconds))
            return pb.TranscribeResponse(voice_activity=activity)
        case SegmentHeard():
            return pb.TranscribeResponse(segment=segment_to_pb(told.segment, words=words))
        case Partial():
            return pb.TranscribeResponse(partial_text=_partial_to_pb(told, words=words))
        case Whole():
            return pb.TranscribeResponse(final=transcript_to_pb(told.transcript, words=words))
        case _:
            assert_never(told)


def _partial_to_pb(partial: Partial, *, words: bool) -> pb.PartialText:
    committed = "".join(it.text for it in partial.committed).lstrip()
    tentative = "".join(it.text for it in partial.tentative)
    return pb.PartialText(
        committed=committed,
        tentative=tentative if committed else tentative.lstrip(),
        words=map(word_to_pb, partial.committed) if words else (),
    )


def upload_response_to_pb(
    made: Transcription, model: Model, *, words: bool = False
) -> pb.TranscribeUploadResponse:
    """The answer to an upload."""
    usage = usage_pb2.Usage()
    usage.processing_time.FromTimedelta(made.processing_time)
    return pb.TranscribeUploadResponse(
        transcript=transcript_to_pb(made.transcript, words=words), usage=usage, model=model.name
    )


def followed_to_pb(
    told: Reached | Segment | Transcription, model: Model, *, words: bool
) -> pb.TranscribeUploadStreamResponse:
    """What is told of a recording."""
    match told:
        case Reached():
            progress = pb.UploadProgress(heard=_duration(told.seconds))
            if told.lasts_seconds:
                progress.duration.CopyFrom(_duration(told.lasts_seconds))
            return pb.TranscribeUploadStreamResponse(progress=progress)
        case Segment():
            segment = segment_to_pb(told, words=words)
            return pb.TranscribeUploadStreamResponse(segment=segment)
        case Transcription():
            final = upload_response_to_pb(told, model, words=words)
            return pb.TranscribeUploadStreamResponse(final=final)
        case _:
            assert_never(told)


def recorded_to_pb(
    told: Received | Reached | Segment | Transcription, model: Model, *, words: bool
) -> pb.TranscribeRecordingResponse:
    """What is told of a recording that is sent in pieces."""
    if isinstance(told, Received):
        return pb.TranscribeRecordingResponse(received_bytes=told.size)
    followed = followed_to_pb(told, model, words=words)
    name = followed.WhichOneof("message")
    return pb.TranscribeRecordingResponse(**{name: getattr(followed, name)})


def transcript_to_pb(transcript: Transcript, *, words: bool = False) -> transcript_pb2.Transcript:
    """A transcript."""
    return transcript_pb2.Transcript(
        text=transcript.text,
        segments=(segment_to_pb(it, words=words) for it in transcript.segments),
        language=transcript.language,
        duration=_duration(transcript.duration_seconds),
        confidence=transcript.confidence,
        speakers_told_apart=transcript.speakers_told_apart,
    )


def segment_to_pb(segment: Segment, *, words: bool = False) -> transcript_pb2.Segment:
    """A segment, with its words where they are wanted."""
    return transcript_pb2.Segment(
        start_offset=_duration(segment.start_seconds),
        end_offset=_duration(segment.end_seconds),
        text=segment.text,
        words=map(word_to_pb, segment.words) if words else (),
        confidence=segment.confidence,
        language=segment.language,
        speaker=segment.speaker,
    )


def word_to_pb(word: Word) -> transcript_pb2.Word:
    """A word."""
    return transcript_pb2.Word(
        text=word.text.strip(),
        start_offset=_duration(word.start_seconds),
        end_offset=_duration(word.end_seconds),
        confidence=word.confidence,
    )


def model_to_pb(model: Model) -> model_pb2.Model:
    """A model."""
    return model_pb2.Model(name=model.name, engine=model.engine, ready=model.ready)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1_000))
    return duration
