"""What comes of jobs, type by type, and what the other rooms answered that is part of it."""

from mesh.jobs.v1 import job_output_pb2 as pb
from mesh.types.v1 import transcript_pb2

from services.jobs.content import (
    CaptionOutput,
    JobOutput,
    Observation,
    Segment,
    Task,
    TaskTimingOutput,
    Transcript,
    TranscriptionOutput,
)
from services.jobs.wire.times import seconds_from_pb, seconds_to_pb, time_to_pb


def output_to_pb(output: JobOutput) -> pb.JobOutput:
    """Write an output."""
    match output:
        case TaskTimingOutput(observations, tasks, summary):
            timing = pb.TaskTimingOutput(
                observations=map(_observation_to_pb, observations),
                tasks=map(_task_to_pb, tasks),
                summary=summary,
            )
            return pb.JobOutput(task_timing_v1=timing)
        case CaptionOutput(captions):
            caption = pb.CaptionOutput(captions=map(_observation_to_pb, captions))
            return pb.JobOutput(caption_v1=caption)
        case TranscriptionOutput(transcript):
            speech = pb.TranscriptionOutput(transcript=_transcript_to_pb(transcript))
            return pb.JobOutput(transcription_v1=speech)


def transcript_from_pb(transcript: transcript_pb2.Transcript) -> Transcript:
    """Read what the audio room heard."""
    return Transcript(
        text=transcript.text,
        segments=tuple(
            Segment(seconds_from_pb(it.start_offset), seconds_from_pb(it.end_offset), it.text)
            for it in transcript.segments
        ),
        language=transcript.language,
        duration_seconds=seconds_from_pb(transcript.duration),
    )


def _observation_to_pb(seen: Observation) -> pb.Observation:
    return pb.Observation(
        image_id=seen.image_id, capture_time=time_to_pb(seen.capture_time), text=seen.text
    )


def _task_to_pb(task: Task) -> pb.Task:
    return pb.Task(
        start_image_id=task.start_image_id,
        end_image_id=task.end_image_id,
        start_time=time_to_pb(task.start_time),
        end_time=time_to_pb(task.end_time),
        start_index=task.start_index,
        end_index=task.end_index,
        evidence_image_ids=task.evidence_image_ids,
    )


def _transcript_to_pb(transcript: Transcript) -> transcript_pb2.Transcript:
    return transcript_pb2.Transcript(
        text=transcript.text,
        segments=[
            transcript_pb2.Segment(
                start_offset=seconds_to_pb(it.start_seconds),
                end_offset=seconds_to_pb(it.end_seconds),
                text=it.text,
            )
            for it in transcript.segments
        ],
        language=transcript.language,
        duration=seconds_to_pb(transcript.duration_seconds),
    )
