"""Between the contract and the words of the jobs room. Total, and without I/O."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from mesh.jobs.v1 import job_input_pb2, job_output_pb2
from mesh.jobs.v1 import job_pb2 as pb
from mesh.types.v1 import image_pb2, transcript_pb2

from services.chassis.errors import InvalidInput
from services.jobs.content import (
    CaptionInput,
    CaptionOutput,
    Draft,
    Image,
    JobInput,
    JobOutput,
    Observation,
    Segment,
    Task,
    TaskTimingInput,
    TaskTimingOutput,
    Transcript,
    TranscriptionInput,
)
from services.jobs.domain import (
    ClientData,
    Job,
    JobError,
    JobEvent,
    JobEventKind,
    JobState,
    Progress,
)

_STATES: Final = {state: f"JOB_STATE_{state.name}" for state in JobState}
_STATES_FROM_PB: Final = {name: state for state, name in _STATES.items()}
_KINDS: Final = {kind: f"JOB_EVENT_KIND_{kind.name}" for kind in JobEventKind}


def state_from_pb(state: pb.JobState) -> JobState | None:
    """Read a state; None where it is unspecified."""
    return _STATES_FROM_PB.get(pb.JobState.Name(state))


def draft_from_pb(given: job_input_pb2.JobInput) -> Draft:
    """Read an input and the bytes that it names; one of its types is set."""
    match given.WhichOneof("input"):
        case "task_timing_v1":
            timing = given.task_timing_v1
            images, data = _images_from_pb(timing.images, "input.task_timing_v1")
            return Draft(TaskTimingInput(timing.task, timing.image_prompt, images), data)
        case "caption_v1":
            caption = given.caption_v1
            images, data = _images_from_pb(caption.images, "input.caption_v1")
            return Draft(CaptionInput(caption.prompt, images), data)
        case "transcription_v1":
            speech = given.transcription_v1
            key = "audio" if speech.audio else ""
            return Draft(TranscriptionInput(key, speech.language), {"audio": speech.audio})
        case _:
            raise InvalidInput.field("input", "is empty", remedy="set the field of the job's type")


def _images_from_pb(
    images: Iterable[image_pb2.Image], path: str
) -> tuple[tuple[Image, ...], dict[str, bytes]]:
    read, data = [], {}
    for index, image in enumerate(images):
        key = f"images/{index}"
        time = None
        if image.HasField("capture_time"):
            time = _time_from_pb(image.capture_time, f"{path}.images[{index}].capture_time")
        read.append(Image(image.id, time, key))
        data[key] = image.data
    return tuple(read), data


def _time_from_pb(time: Timestamp, path: str) -> datetime:
    try:
        return time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.field(path, "is no time", remedy="send RFC 3339, or nothing") from None


def client_data_from_pb(data: Struct) -> ClientData:
    """Read what a client attached."""
    try:
        return MessageToDict(data)
    except (SerializeToJsonError, ValueError):
        raise InvalidInput.field(
            "client_data", "holds a number that JSON lacks", remedy="send finite numbers"
        ) from None


def job_to_pb(job: Job, *, with_input: bool = True, with_output: bool = True) -> pb.Job:
    """Write a job."""
    return pb.Job(
        id=str(job.id),
        type=job.type,
        state=_STATES[job.state],
        create_time=_time_to_pb(job.create_time),
        update_time=_time_to_pb(job.update_time),
        start_time=_time_to_pb(job.start_time),
        end_time=_time_to_pb(job.end_time),
        attempt=job.attempt,
        progress=_progress_to_pb(job.progress),
        input=_input_to_pb(job.input) if with_input else None,
        output=_output_to_pb(job.output) if with_output and job.output else None,
        error=_error_to_pb(job.error) if job.error else None,
        client_data=None if job.client_data is None else ParseDict(dict(job.client_data), Struct()),
    )


def event_to_pb(event: JobEvent) -> pb.JobEvent:
    """Write an event."""
    return pb.JobEvent(
        sequence=event.sequence,
        time=_time_to_pb(event.time),
        kind=_KINDS[event.kind],
        step=event.step,
        text=event.text,
        progress=_progress_to_pb(event.progress),
    )


def transcript_from_pb(transcript: transcript_pb2.Transcript) -> Transcript:
    """Read what the audio room heard."""
    return Transcript(
        text=transcript.text,
        segments=tuple(
            Segment(_seconds(it.start_offset), _seconds(it.end_offset), it.text)
            for it in transcript.segments
        ),
        language=transcript.language,
        duration_seconds=_seconds(transcript.duration),
    )


def _input_to_pb(given: JobInput) -> job_input_pb2.JobInput:
    match given:
        case TaskTimingInput(task, image_prompt, images):
            timing = job_input_pb2.TaskTimingInput(
                task=task, image_prompt=image_prompt, images=map(_image_to_pb, images)
            )
            return job_input_pb2.JobInput(task_timing_v1=timing)
        case CaptionInput(prompt, images):
            caption = job_input_pb2.CaptionInput(prompt=prompt, images=map(_image_to_pb, images))
            return job_input_pb2.JobInput(caption_v1=caption)
        case TranscriptionInput(_, language):
            speech = job_input_pb2.TranscriptionInput(language=language)
            return job_input_pb2.JobInput(transcription_v1=speech)


def _output_to_pb(output: JobOutput) -> job_output_pb2.JobOutput:
    match output:
        case TaskTimingOutput(observations, tasks, summary):
            timing = job_output_pb2.TaskTimingOutput(
                observations=map(_observation_to_pb, observations),
                tasks=map(_task_to_pb, tasks),
                summary=summary,
            )
            return job_output_pb2.JobOutput(task_timing_v1=timing)
        case CaptionOutput(captions):
            caption = job_output_pb2.CaptionOutput(captions=map(_observation_to_pb, captions))
            return job_output_pb2.JobOutput(caption_v1=caption)
        case _:
            speech = job_output_pb2.TranscriptionOutput(
                transcript=_transcript_to_pb(output.transcript)
            )
            return job_output_pb2.JobOutput(transcription_v1=speech)


def _image_to_pb(image: Image) -> image_pb2.Image:
    return image_pb2.Image(id=image.id, capture_time=_time_to_pb(image.capture_time))


def _observation_to_pb(seen: Observation) -> job_output_pb2.Observation:
    return job_output_pb2.Observation(
        image_id=seen.image_id, capture_time=_time_to_pb(seen.capture_time), text=seen.text
    )


def _task_to_pb(task: Task) -> job_output_pb2.Task:
    return job_output_pb2.Task(
        start_image_id=task.start_image_id,
        end_image_id=task.end_image_id,
        start_time=_time_to_pb(task.start_time),
        end_time=_time_to_pb(task.end_time),
        start_index=task.start_index,
        end_index=task.end_index,
        evidence_image_ids=task.evidence_image_ids,
    )


def _transcript_to_pb(transcript: Transcript) -> transcript_pb2.Transcript:
    return transcript_pb2.Transcript(
        text=transcript.text,
        segments=[
            transcript_pb2.Segment(
                start_offset=_duration(it.start_seconds),
                end_offset=_duration(it.end_seconds),
                text=it.text,
            )
            for it in transcript.segments
        ],
        language=transcript.language,
        duration=_duration(transcript.duration_seconds),
    )


def _progress_to_pb(progress: Progress) -> pb.Progress:
    return pb.Progress(
        done_steps=progress.done_steps,
        total_steps=progress.total_steps,
        current_step=progress.current_step,
    )


def _error_to_pb(error: JobError) -> pb.JobError:
    return pb.JobError(reason=error.reason, message=error.message, retryable=error.retryable)


def _time_to_pb(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written


def _duration(seconds: float) -> Duration:
    written = Duration()
    written.FromTimedelta(timedelta(seconds=seconds))
    return written


def _seconds(duration: Any) -> float:
    return float(duration.ToTimedelta().total_seconds())
