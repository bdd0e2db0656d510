"""What becomes of a job whose attempt went wrong.

- An engine or a room that is down or full (`Unavailable`, `Exhausted`) is not the job's fault: it
  waits and is tried again, without using up an attempt, until its patience is at an end.
- So does a source of media that is down, but not for as long: after a while each failure uses up an
  attempt.
- What may be chance (`TimedOut`, `Conflict`) or our own mistake (`Internal`, anything unknown) uses
  up an attempt; so does a worker that dies. The job is tried again while any are left.
- Anything else says that the job itself is wrong, and ends it.

Waits double from attempt to attempt and are spread by chance, so that jobs that failed together do
not all come back together; a longer wait that the engine asks for is kept to, and spread likewise.
The worker is told of such a refusal too, so that it does not have all others refused in turn.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from services.chassis.clock import Clock
from services.chassis.errors import (
    Conflict,
    Exhausted,
    Internal,
    MeshError,
    TimedOut,
    Unavailable,
)
from services.jobs.config import WorkerConfig
from services.jobs.content import JobType
from services.jobs.domain import Claim, Failure, JobError
from services.jobs.ports.gathering import SourceDown

_FIRST_WAIT: Final = timedelta(seconds=1)
_MOST_DOUBLINGS: Final = 16


class Judge:
    """Judges as a worker is told to, and tells `refused` of the types of job that were refused."""

    def __init__(
        self,
        config: WorkerConfig,
        clock: Clock,
        chance: Callable[[], float],
        refused: Callable[[JobType, timedelta], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._chance = chance
        self._refused = refused

    def __call__(self, error: Exception, claim: Claim) -> Failure | JobError:
        """Say whether the job is to be tried again, or how it ends."""
        chance = self._chance()
        if (wait := refusal(error)) is not None:
            self._refused(claim.type, _spread(wait, chance))
        return judge(
            error,
            claim,
            now=self._clock.now(),
            patience=timedelta(seconds=self._config.patience_seconds),
            source_patience=timedelta(seconds=self._config.source_patience_seconds),
            longest_wait=timedelta(seconds=self._config.backoff_seconds),
            chance=chance,
        )


def judge(
    error: Exception,
    claim: Claim,
    *,
    now: datetime,
    patience: timedelta,
    source_patience: timedelta,
    longest_wait: timedelta,
    chance: float,
) -> Failure | JobError:
    """Say whether the job is to be tried again, or how it ends. `chance` is from 0 to 1."""
    if not isinstance(error, MeshError):
        error = Internal(
            "something failed inside the worker", remedy="the cause is in the worker's log"
        )
    told = JobError(reason=error.code, message=str(error), retryable=True)
    wait = _wait(claim.attempt, longest_wait, chance)
    match error:
        case SourceDown():
            # It is none of ours, and nobody may ever come to repair it.
            patient = now - claim.waiting_since < source_patience
            if not patient and claim.attempts_left <= 0:
                return told
            asked = error.retry_after or timedelta()
            return Failure(told, max(wait, asked), counts=not patient)
        case Unavailable() | Exhausted():
            if now - claim.waiting_since >= patience:
                return told
            asked = _spread(error.retry_after or timedelta(), chance)
            return Failure(told, max(wait, asked), counts=False)
        case TimedOut() | Conflict() | Internal():
            return Failure(told, wait, counts=True) if claim.attempts_left > 0 else told
        case _:
            return JobError(reason=error.code, message=str(error), retryable=False)


def refusal(error: Exception) -> timedelta | None:
    """Tell how long an engine or a room asks to be left alone. None: it did not refuse.

    What is full and names no time, such as a tenant's quota, is none of the mesh's engines.
    """
    match error:
        case SourceDown():
            return None
        case Unavailable() | Exhausted(retry_after=timedelta()):
            return error.retry_after or timedelta()
        case _:
            return None


def _spread(wait: timedelta, chance: float) -> timedelta:
    return wait * (1 + chance / 2)


def _wait(attempt: int, longest: timedelta, chance: float) -> timedelta:
    doublings = min(max(attempt - 1, 0), _MOST_DOUBLINGS)
    return min(_FIRST_WAIT * (1 << doublings), longest) * (0.5 + chance / 2)
