"""Holds the history of a job against the rules of its life. It trusts nothing but the events."""

from collections.abc import Sequence
from typing import Final

from services.jobs.domain import JobEvent
from services.jobs.domain import JobEventKind as K

_BEGINNING, _WAITS, _HELD, _CANCELLING, _ENDED = "beginning", "waits", "held", "cancelling", "ended"

RULES: Final = {
    _BEGINNING: {K.CREATED: _WAITS},
    _WAITS: {K.CLAIMED: _HELD, K.CANCELLED: _ENDED},
    _HELD: {
        K.STEP_COMPLETED: _HELD,
        K.LEASE_EXPIRED: _WAITS,
        K.ATTEMPT_FAILED: _WAITS,
        K.RELEASED: _WAITS,
        K.CANCEL_REQUESTED: _CANCELLING,
        K.COMPLETED: _ENDED,
        K.FAILED: _ENDED,
    },
    _CANCELLING: {K.STEP_COMPLETED: _CANCELLING, K.CANCELLED: _ENDED},
    _ENDED: {
        K.RETRIED: _WAITS,
        K.WEBHOOK_DELIVERED: _ENDED,
        K.WEBHOOK_DEAD: _ENDED,
    },
}
"""What may follow what: a worker that is fenced off would write where nobody holds the job."""
ENDS: Final = {K.COMPLETED, K.FAILED, K.CANCELLED}


def problems(events: Sequence[JobEvent]) -> list[str]:
    """Tell everything that is wrong with a job that should have come to its end."""
    found = []
    state, steps, ends = _BEGINNING, set[str](), 0
    for place, event in enumerate(events, 1):
        if event.sequence != place:
            found.append(f"event {place} has the sequence {event.sequence}")
        if place > 1 and event.time < events[place - 2].time:
            found.append(f"{event.kind} at {place} is older than what was before it")
        if (after := RULES[state].get(event.kind)) is None:
            found.append(f"{event.kind} at {place} while the job {state}")
            continue
        state = after
        if event.kind is K.STEP_COMPLETED:
            if event.step in steps:
                found.append(f"{event.step} is done twice, again at {place}")
            steps.add(event.step)
        if event.kind is K.RETRIED:
            steps, ends = set(), 0
        ends += event.kind in ENDS
    if state is not _ENDED or ends != 1:
        found.append(f"the job {state} with {ends} ends")
    return found
