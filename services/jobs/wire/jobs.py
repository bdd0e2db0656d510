"""Jobs, their states and their events."""

from typing import Final

from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from google.protobuf.struct_pb2 import Struct
from mesh.jobs.v1 import job_pb2 as pb

from services.chassis.errors import InvalidInput
from services.jobs.domain import (
    ClientData,
    Job,
    JobError,
    JobEvent,
    JobEventKind,
    JobState,
    Progress,
)
from services.jobs.wire.inputs import input_to_pb
from services.jobs.wire.outputs import output_to_pb
from services.jobs.wire.times import time_to_pb
from services.jobs.wire.webhooks import webhook_to_pb

_STATES: Final = {state: f"JOB_STATE_{state.name}" for state in JobState}
_STATES_FROM_PB: Final = {name: state for state, name in _STATES.items()}
_KINDS: Final = {kind: f"JOB_EVENT_KIND_{kind.name}" for kind in JobEventKind}


def state_from_pb(state: pb.JobState) -> JobState | None:
    """Read a state; None where it is unspecified."""
    return _STATES_FROM_PB.get(pb.JobState.Name(state))


def state_to_pb(state: JobState) -> str:
    """Write the name of a state."""
    return _STATES[state]


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
        state=state_to_pb(job.state),
        create_time=time_to_pb(job.create_time),
        update_time=time_to_pb(job.update_time),
        start_time=time_to_pb(job.start_time),
        end_time=time_to_pb(job.end_time),
        attempt=job.attempt,
        progress=_progress_to_pb(job.progress),
        input=input_to_pb(job.input) if with_input else None,
        output=output_to_pb(job.output) if with_output and job.output else None,
        error=_error_to_pb(job.error) if job.error else None,
        client_data=None if job.client_data is None else ParseDict(dict(job.client_data), Struct()),
        priority=job.priority,
        run_after_time=time_to_pb(job.run_after),
        webhook=webhook_to_pb(job.webhook) if job.webhook else None,
    )


def event_to_pb(event: JobEvent) -> pb.JobEvent:
    """Write an event."""
    return pb.JobEvent(
        sequence=event.sequence,
        time=time_to_pb(event.time),
        kind=_KINDS[event.kind],
        step=event.step,
        text=event.text,
        progress=_progress_to_pb(event.progress),
    )


def _progress_to_pb(progress: Progress) -> pb.Progress:
    return pb.Progress(
        done_steps=progress.done_steps,
        total_steps=progress.total_steps,
        current_step=progress.current_step,
    )


def _error_to_pb(error: JobError) -> pb.JobError:
    return pb.JobError(reason=error.reason, message=error.message, retryable=error.retryable)
