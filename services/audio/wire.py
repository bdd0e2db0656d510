"""Between the contract of the audio room and its own words. Total, and without I/O."""

from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import model_pb2, transcript_pb2, usage_pb2

from services.audio.domain import Model, Segment, Transcript, Transcription


def upload_response_to_pb(made: Transcription, model: Model) -> pb.TranscribeUploadResponse:
    """The answer to an upload."""
    usage = usage_pb2.Usage()
    usage.processing_time.FromTimedelta(made.processing_time)
    return pb.TranscribeUploadResponse(
        transcript=transcript_to_pb(made.transcript), usage=usage, model=model.name
    )


def transcript_to_pb(transcript: Transcript) -> transcript_pb2.Transcript:
    """A transcript."""
    return transcript_pb2.Transcript(
        text=transcript.text,
        segments=map(segment_to_pb, transcript.segments),
        language=transcript.language,
        duration=_duration(transcript.duration_seconds),
    )


def segment_to_pb(segment: Segment) -> transcript_pb2.Segment:
    """A segment."""
    return transcript_pb2.Segment(
        start_offset=_duration(segment.start_seconds),
        end_offset=_duration(segment.end_seconds),
        text=segment.text,
    )


def model_to_pb(model: Model) -> model_pb2.Model:
    """A model."""
    return model_pb2.Model(name=model.name, engine=model.engine, ready=model.ready)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1_000))
    return duration
