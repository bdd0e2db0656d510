"""How likely something goes on in each picture of a series, by what each says for itself.

A picture errs now and then, so it is believed only as far as its neighbours let it: a chain of two
states, on and off, that may change between two pictures, and the more likely so the longer nobody
looked. The forward-backward algorithm gives, of each picture, how likely the state is on, and of
each two that follow one another, how likely it changes there. How often it changes is learnt from
the series itself: in one that seldom does, two pictures in a row may err. It knows no task and no
words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Pair = tuple[float, float]
"""A figure for off and one for on."""

RIGHT: Final = 0.95
"""How often a picture that says something says what is so."""
_CHANGE: Final = 0.06
"""How likely the state changes between two pictures at the usual distance, before anything is
learnt. With the figure above one picture is overruled by its neighbours, and two that agree are
not. Both were found on training seeds of `bench.quality`."""
_LEARNT_FROM: Final = 20.0
"""How many distances of a series count as much as what was thought before."""
_ROUNDS: Final = 4
"""Of learning; further ones change nothing that counts."""
_MOST_CHANGE: Final = 0.4
_NEAR: Final = 3.0
"""A change over a longer distance tells nothing of how often there are some."""


@dataclass(frozen=True)
class Beliefs:
    """What is believed of a series."""

    on: tuple[float, ...]
    """Of each picture, how likely the state is on."""
    begins: tuple[float, ...]
    """Of each picture but the first, how likely it is on there and was off in the one before."""
    ends: tuple[float, ...]
    """Of each picture but the first, how likely it is off there and was on in the one before."""


def believe(says: Sequence[bool | None], distances: Sequence[float]) -> Beliefs:
    """Weigh what pictures say: yes, no, or nothing.

    `distances` are those from each picture to the next, in usual ones: at zero the state cannot
    change, at infinity the one tells nothing of the other.
    """
    length = sum(it for it in distances if it <= _NEAR)
    beliefs = _believe(says, distances, _CHANGE)
    for _ in range(_ROUNDS):
        changes = zip(beliefs.begins, beliefs.ends, distances, strict=True)
        count = sum(begin + end for begin, end, distance in changes if distance <= _NEAR)
        learnt = (_CHANGE * _LEARNT_FROM + count) / (_LEARNT_FROM + length)
        beliefs = _believe(says, distances, min(learnt, _MOST_CHANGE))
    return beliefs


def _believe(says: Sequence[bool | None], distances: Sequence[float], rate: float) -> Beliefs:
    seen = [_evidence(it) for it in says]
    changes = [_change(rate, it) for it in distances]
    forward: list[Pair] = []
    for index, (off, on) in enumerate(seen):
        before = _moved(forward[-1], changes[index - 1]) if index else (0.5, 0.5)
        forward.append(_shares((before[0] * off, before[1] * on)))
    backward: list[Pair] = [(1.0, 1.0)]
    for index in range(len(seen) - 1, 0, -1):
        off, on = seen[index]
        later = backward[-1]
        backward.append(_shares(_moved((later[0] * off, later[1] * on), changes[index - 1])))
    backward.reverse()
    states = [_shares((a[0] * b[0], a[1] * b[1])) for a, b in zip(forward, backward, strict=True)]
    begins, ends = [], []
    for index, change in enumerate(changes, start=1):
        old, (off, on), later = forward[index - 1], seen[index], backward[index]
        stays_off = old[0] * (1 - change) * off * later[0]
        stays_on = old[1] * (1 - change) * on * later[1]
        begin, end = old[0] * change * on * later[1], old[1] * change * off * later[0]
        whole = stays_off + stays_on + begin + end
        begins.append(begin / whole)
        ends.append(end / whole)
    return Beliefs(tuple(on for _, on in states), tuple(begins), tuple(ends))


def _evidence(says: bool | None) -> Pair:
    match says:
        case None:
            return 1.0, 1.0
        case True:
            return 1 - RIGHT, RIGHT
        case False:
            return RIGHT, 1 - RIGHT


def _change(rate: float, distance: float) -> float:
    # Of a state that changes at a constant rate in continuous time.
    return (1 - math.pow(1 - 2 * rate, distance)) / 2


def _moved(state: Pair, change: float) -> Pair:
    off, on = state
    return off * (1 - change) + on * change, on * (1 - change) + off * change


def _shares(pair: Pair) -> Pair:
    whole = sum(pair)
    return pair[0] / whole, pair[1] / whole
