from datetime import timedelta

import pytest

from services.jobs.webhooks import schedule
from services.jobs.webhooks.domain import Answer, DeliveryState

DAY = timedelta(days=1)
FAILED = Answer(500, "it answered 500")


def judge(answer, tries=1, *, longest_wait=DAY, chance=0.5):
    return schedule.judge(answer, tries=tries, longest_wait=longest_wait, chance=chance)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_success_is_a_delivery(status):
    assert judge(Answer(status)).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [0, 199, 300, 301, 400, 404, 408, 429, 500, 503])
def test_everything_else_is_tried_again(status):
    assert judge(Answer(status, "no")).state is DeliveryState.PENDING


def test_a_receiver_that_is_gone_is_dead_at_once():
    assert judge(Answer(410, "it answered 410")).state is DeliveryState.DEAD


def test_ten_attempts_are_made_over_about_three_days():
    outcomes = [judge(FAILED, tries) for tries in range(1, 11)]
    assert [it.state for it in outcomes] == [DeliveryState.PENDING] * 9 + [DeliveryState.DEAD]
    total = sum((it.delay for it in outcomes), timedelta())
    assert timedelta(days=3) < total < timedelta(days=3.5)


def test_waits_are_spread_by_chance():
    least, most = judge(FAILED, 2, chance=0), judge(FAILED, 2, chance=1)
    assert least.delay < timedelta(minutes=5) < most.delay
    assert most.delay - least.delay == timedelta(minutes=1)


def test_a_longer_wait_that_is_asked_for_is_kept_to():
    asked = Answer(503, "later", retry_after=timedelta(hours=1))
    assert judge(asked).delay == timedelta(hours=1)
    assert judge(asked, tries=9).delay > timedelta(hours=20)


def test_no_wait_is_longer_than_the_longest():
    asked = Answer(503, "later", retry_after=timedelta(days=400))
    assert judge(asked, longest_wait=timedelta(hours=2)).delay == timedelta(hours=2)
    assert judge(FAILED, 9, longest_wait=timedelta(hours=2)).delay == timedelta(hours=2)
