from datetime import UTC, datetime, timedelta

import pytest

from services.jobs.domain import JobEvent, Progress
from services.jobs.domain import JobEventKind as K
from tests.doubles import history

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def told(*kinds, steps=()):
    names = iter(steps)
    return [
        JobEvent(
            sequence=place,
            time=NOON + timedelta(seconds=place),
            kind=kind,
            step=next(names) if kind is K.STEP_COMPLETED else "",
            text="",
            progress=Progress(),
        )
        for place, kind in enumerate(kinds, 1)
    ]


LIVES = [
    (K.CREATED, K.CLAIMED, K.COMPLETED),
    (K.CREATED, K.CANCELLED),
    (K.CREATED, K.CLAIMED, K.LEASE_EXPIRED, K.CLAIMED, K.COMPLETED, K.WEBHOOK_DELIVERED),
    (K.CREATED, K.CLAIMED, K.CANCEL_REQUESTED, K.CANCELLED, K.RETRIED, K.CLAIMED, K.FAILED),
]


@pytest.mark.parametrize("life", LIVES)
def test_a_life_by_the_rules_has_no_problem(life):
    assert history.problems(told(*life)) == []


@pytest.mark.parametrize(
    ("life", "says"),
    [
        ((), "beginning"),
        ((K.CREATED, K.CLAIMED), "held"),
        ((K.CREATED, K.CLAIMED, K.COMPLETED, K.COMPLETED), "completed at 4 while the job ended"),
        ((K.CREATED, K.CLAIMED, K.COMPLETED, K.FAILED), "failed at 4"),
        ((K.CREATED, K.COMPLETED), "completed at 2 while the job waits"),
        ((K.CREATED, K.CLAIMED, K.CLAIMED, K.COMPLETED), "claimed at 3"),
        ((K.CLAIMED, K.COMPLETED), "claimed at 1"),
        ((K.CREATED, K.CLAIMED, K.CANCEL_REQUESTED, K.COMPLETED), "completed at 4"),
    ],
)
def test_a_life_against_the_rules_is_told(life, says):
    assert any(says in problem for problem in history.problems(told(*life)))


def test_what_a_fenced_worker_writes_is_told():
    life = told(
        *(K.CREATED, K.CLAIMED, K.LEASE_EXPIRED, K.STEP_COMPLETED, K.CLAIMED, K.COMPLETED),
        steps=["describe/0"],
    )
    assert history.problems(life) == ["step_completed at 4 while the job waits"]


def test_a_step_that_is_done_twice_is_told():
    life = told(
        *(K.CREATED, K.CLAIMED, K.STEP_COMPLETED, K.STEP_COMPLETED, K.COMPLETED),
        steps=["describe/0", "describe/0"],
    )
    assert history.problems(life) == ["describe/0 is done twice, again at 4"]


def test_a_lost_event_is_told():
    life = told(K.CREATED, K.CLAIMED, K.COMPLETED)
    assert "event 2 has the sequence 3" in history.problems([life[0], life[2]])
