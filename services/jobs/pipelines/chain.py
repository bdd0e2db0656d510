"""How likely something goes on in each picture of a series, by what each says for itself.

A picture errs now and then, so it is believed only as far as its neighbours let it: a chain of two
states, on and off, that may change between two pictures, and the more likely so the longer nobody
looked. The forward-backward algorithm gives, of each picture, how likely the state is on, and of
each two that follow one another, how likely it changes there.

How often the state changes and how often pictures err, in either state, is learnt from the series
itself (Baum and Welch's algorithm, with what is thought beforehand as so many pictures): in one
whose state seldom changes, or whose pictures often err, two errors in a row are possible. It knows
no task and no words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Pair = tuple[float, float]
"""A figure for off and one for on."""

RIGHT: Final = 0.95
"""How often a picture that says something says what is so, before anything is learnt."""
_CHANGE: Final = 0.06
"""How likely the state changes between two pictures at the usual distance, before that. With the
figure above one picture is overruled by its neighbours, and two that agree are not. All figures
were found on training seeds of `bench.quality`."""
_PICTURES: Final = 10.0
"""How many pictures of a series count as much as what is thought of errors beforehand."""
_DISTANCES: Final = 20.0
"""How many of its distances count as much as what is thought of changes beforehand."""
_ROUNDS: Final = 6
"""Of learning; further ones change nothing that counts."""
_LEAST_RIGHT, _MOST_CHANGE = 0.6, 0.4
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


@dataclass(frozen=True)
class _Rates:
    right: Pair = (RIGHT, RIGHT)
    """How often a picture is right while the state is off, and while it is on."""
    change: float = _CHANGE


def believe(says: Sequence[bool | None], distances: Sequence[float]) -> Beliefs:
    """Weigh what pictures say: yes, no, or nothing.

    `distances` are those from each picture to the next, in usual ones: at zero the state cannot
    change, at infinity the one tells nothing of the other.
    """
    beliefs = _weighed(says, distances, _Rates())
    for _ in range(_ROUNDS):
        beliefs = _weighed(says, distances, _learnt(says, distances, beliefs))
    return beliefs


def _learnt(says: Sequence[bool | None], distances: Sequence[float], beliefs: Beliefs) -> _Rates:
    heard = [(on, said) for on, said in zip(beliefs.on, says, strict=True) if said is not None]
    off_right = _rate(sum(1 - on for on, said in heard if not said), sum(1 - on for on, _ in heard))
    on_right = _rate(sum(on for on, said in heard if said), sum(on for on, _ in heard))
    changes = zip(beliefs.begins, beliefs.ends, distances, strict=True)
    count = sum(begin + end for begin, end, distance in changes if distance <= _NEAR)
    length = sum(it for it in distances if it <= _NEAR)
    change = (_CHANGE * _DISTANCES + count) / (_DISTANCES + length)
    return _Rates((off_right, on_right), min(change, _MOST_CHANGE))


def _rate(right: float, whole: float) -> float:
    return max((RIGHT * _PICTURES + right) / (_PICTURES + whole), _LEAST_RIGHT)


def _weighed(says: Sequence[bool | None], distances: Sequence[float], rates: _Rates) -> Beliefs:
    seen = [_evidence(it, rates.right) for it in says]
    changes = [_change(rates.change, it) for it in distances]
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


def _evidence(says: bool | None, right: Pair) -> Pair:
    match says:
        case None:
            return 1.0, 1.0
        case True:
            return 1 - right[0], right[1]
        case False:
            return right[0], 1 - right[1]


def _change(rate: float, distance: float) -> float:
    # Of a state that changes at a constant rate in continuous time.
    return (1 - math.pow(1 - 2 * rate, distance)) / 2


def _moved(state: Pair, change: float) -> Pair:
    off, on = state
    return off * (1 - change) + on * change, on * (1 - change) + off * change


def _shares(pair: Pair) -> Pair:
    whole = sum(pair)
    return pair[0] / whole, pair[1] / whole
