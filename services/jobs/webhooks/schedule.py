"""When a message that was not taken is sent again, and when it is given up.

The waits are those that Standard Webhooks recommends: ten attempts over a little more than three
days. They are spread by chance, so that messages that failed together do not all come back
together; a longer wait that the receiver asks for is kept to.
"""

from datetime import timedelta
from typing import Final

from services.jobs.webhooks.domain import Answer, DeliveryState, Outcome

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between the first attempt and the second, and so on."""

_GONE: Final = 410
_LEAST_SHARE: Final = 0.9
_SPREAD: Final = 0.2


def judge(answer: Answer, *, tries: int, longest_wait: timedelta, chance: float) -> Outcome:
    """Say what becomes of a delivery after so many tries. `chance` is from 0 to 1."""
    if answer.is_success:
        return Outcome(DeliveryState.DELIVERED, answer)
    if answer.status == _GONE or tries > len(WAITS):
        return Outcome(DeliveryState.DEAD, answer)
    wait = WAITS[tries - 1] * (_LEAST_SHARE + _SPREAD * chance)
    wait = min(max(wait, answer.retry_after or timedelta()), longest_wait)
    return Outcome(DeliveryState.PENDING, answer, wait)
