"""Between the contract and the words of the jobs room. Total, and without I/O."""

from services.jobs.wire.hearing import (
    heard_from_pb,
    listening_to_pb,
    message_to_pb,
    progress_from_pb,
    recording_to_pb,
)
from services.jobs.wire.inputs import draft_from_pb
from services.jobs.wire.jobs import client_data_from_pb, event_to_pb, job_to_pb, state_from_pb
from services.jobs.wire.messages import message_of, sample_message
from services.jobs.wire.risks import risk_from_pb
from services.jobs.wire.sessions import (
    session_to_pb,
    settings_from_pb,
    spoken_from_pb,
    told_to_pb,
)
from services.jobs.wire.stats import stats_to_pb
from services.jobs.wire.times import time_from_pb, time_to_pb
from services.jobs.wire.transcripts import transcript_from_pb, transcript_to_pb
from services.jobs.wire.webhooks import (
    delivery_state_from_pb,
    delivery_to_pb,
    webhook_from_pb,
    webhook_to_pb,
)

__all__ = [
    "client_data_from_pb",
    "delivery_state_from_pb",
    "delivery_to_pb",
    "draft_from_pb",
    "event_to_pb",
    "heard_from_pb",
    "job_to_pb",
    "listening_to_pb",
    "message_of",
    "message_to_pb",
    "progress_from_pb",
    "recording_to_pb",
    "risk_from_pb",
    "sample_message",
    "session_to_pb",
    "settings_from_pb",
    "spoken_from_pb",
    "state_from_pb",
    "stats_to_pb",
    "time_from_pb",
    "time_to_pb",
    "told_to_pb",
    "transcript_from_pb",
    "transcript_to_pb",
    "webhook_from_pb",
    "webhook_to_pb",
]
