from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis import errors
from services.jobs import verdict
from services.jobs.domain import Failure, JobError
from services.jobs.ports.gathering import SourceDown


@pytest.fixture
async def claim(claim_of):
    return await claim_of()


def judged(error, claim, *, waited=timedelta(), chance=1.0, attempt=1):
    claim = replace(claim, attempt=attempt)
    return verdict.judge(
        error,
        claim,
        now=claim.waiting_since + waited,
        patience=timedelta(hours=24),
        source_patience=timedelta(minutes=15),
        longest_wait=timedelta(seconds=15),
        chance=chance,
    )


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.Exhausted])
def test_what_passes_is_waited_for_without_using_up_an_attempt(kind, claim):
    exhausted = replace(claim, attempts_left=0)
    failure = judged(kind("the engine is down", code="ENGINE_DOWN"), exhausted)
    assert isinstance(failure, Failure)
    assert not failure.counts
    assert failure.error == JobError("ENGINE_DOWN", "the engine is down", retryable=True)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (errors.Unavailable("the engine is down"), timedelta()),
        (errors.Exhausted("it is full", retry_after=timedelta(seconds=3)), timedelta(seconds=3)),
        (errors.Exhausted("the tenant has kept too much"), None),
        (SourceDown("the connection failed", retry_after=timedelta(seconds=3)), None),
        (errors.Internal("odd"), None),
        (KeyError("x"), None),
    ],
)
def test_only_engines_and_rooms_that_are_down_or_full_refuse(error, wait):
    assert verdict.refusal(error) == wait


def test_a_source_of_media_that_is_down_is_waited_for_a_while_and_then_costs_attempts(claim):
    down = SourceDown("the connection failed", retry_after=timedelta(minutes=2))
    failure = judged(down, replace(claim, attempts_left=0), waited=timedelta(minutes=14))
    assert (failure.counts, failure.delay) == (False, timedelta(minutes=2))
    late = timedelta(minutes=15)
    assert judged(down, claim, waited=late).counts
    given_up = judged(down, replace(claim, attempts_left=0), waited=late)
    assert given_up == JobError("SOURCE_DOWN", "the connection failed", retryable=True)


def test_patience_ends(claim):
    error = errors.Unavailable("the engine is down")
    assert isinstance(judged(error, claim, waited=timedelta(hours=23)), Failure)
    ended = judged(error, claim, waited=timedelta(hours=24))
    assert isinstance(ended, JobError)
    assert ended.retryable


@pytest.mark.parametrize(
    "error", [errors.TimedOut("late"), errors.Internal("odd"), errors.Conflict("x"), KeyError("x")]
)
def test_what_may_be_chance_uses_up_attempts(error, claim):
    failure = judged(error, claim)
    assert isinstance(failure, Failure)
    assert failure.counts
    ended = judged(error, replace(claim, attempts_left=0))
    assert isinstance(ended, JobError)
    assert ended.retryable


@pytest.mark.parametrize(
    "kind",
    [
        *(errors.InvalidInput, errors.Precondition, errors.NotFound, errors.Denied),
        *(errors.Unauthenticated, errors.Unimplemented),
    ],
)
def test_a_job_that_is_wrong_in_itself_ends_at_once(kind, claim):
    ended = judged(kind("is wrong", remedy="make it right", code="WRONG"), claim)
    assert ended == JobError("WRONG", "is wrong; make it right", retryable=False)


def test_the_text_of_an_unknown_error_is_not_told(claim):
    assert "secret" not in judged(ValueError("secret"), claim).error.message


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (10_000, 15)]
)
def test_waits_double_up_to_the_longest(attempt, seconds, claim):
    error = errors.Unavailable("down")
    assert judged(error, claim, attempt=attempt).delay == timedelta(seconds=seconds)
    spread = judged(error, claim, attempt=attempt, chance=0.0).delay
    assert spread == timedelta(seconds=seconds) / 2


def test_a_wait_that_the_engine_asks_for_is_kept_to_and_spread(claim):
    error = errors.Exhausted("full", retry_after=timedelta(seconds=40))
    assert judged(error, claim, chance=0.0).delay == timedelta(seconds=40)
    assert judged(error, claim, chance=1.0).delay == timedelta(seconds=60)
