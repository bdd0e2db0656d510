"""The limit against simulated engines, of fixed slots or working in batches, in simulated time and
under endless load.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from services.engine.limit import Limit

SERVICE = 0.1


def same(_: random.Random) -> float:
    return SERVICE


def spread(chance: random.Random) -> float:
    return SERVICE * chance.uniform(0.5, 1.5)


@dataclass
class Engine:
    """Works on `slots` calls at once and lets others wait inside; each pauses `gap` around it."""

    limit: Limit
    slots: int
    gap: float = 0.05 * SERVICE
    draw: Callable[[random.Random], float] = spread
    tells: bool = False
    now: float = 0.0
    waiting: int = 0
    places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(1)
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, bool]] = []
        self._given = self._busy = 0

    def answer(self, calls: int) -> float:
        """Answer so many calls; returns the share of the slots' time that was worked."""
        begun = self.now
        for _ in range(calls):
            self._answer_one()
        return calls * SERVICE / self.slots / (self.now - begun)

    def rest(self, seconds: float) -> None:
        """Let time go by, with all work as it is."""
        self.now += seconds
        self._events = [(at + seconds, number, what) for at, number, what in self._events]

    def _answer_one(self) -> None:
        while True:
            while self._given < self.limit.places:
                self._given += 1
                self._later(self.gap, answered=False)
            self.now, _, answered = heapq.heappop(self._events)
            if answered:
                break
            self.waiting += 1
            self._work()
        self._busy -= 1
        self._given -= 1
        self._work()
        if self.tells:
            self.limit.told(self.waiting)
        self.limit.answered(self.now)
        self.places.append(self.limit.places)

    def _work(self) -> None:
        while self.waiting and self._busy < self.slots:
            self.waiting -= 1
            self._busy += 1
            self._later(self.draw(self._chance), answered=True)

    def _later(self, seconds: float, *, answered: bool) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), answered))


@dataclass
class Batches:
    """Takes every call into its next step, which costs `start` more than a call's part in it, and
    says that none waits. Its speed changes by a fifth.
    """

    limit: Limit
    start: float
    told_seconds: float = 2.0
    now: float = 0.0
    places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(1)
        self._left: list[int] = []
        self._speed = 1.0
        self._told = 0.0

    def answer(self, calls: int) -> float:
        """Answer so many calls; returns the share of its time in which it worked at them."""
        begun, work = self.now, 0.0
        while calls > 0:
            work += self._step()
            calls -= self._ended()
        return work / (self.now - begun)

    def _step(self) -> float:
        while len(self._left) < self.limit.places:
            self._left.append(self._chance.randint(15, 25))
        if self._chance.random() < 1 / 50:
            self._speed = self._chance.uniform(0.9, 1.1)
        work = len(self._left) * 1e-3 * self._speed
        self.now += work + self.start * 1e-3 * self._speed
        self._left = [it - 1 for it in self._left]
        return work

    def _ended(self) -> int:
        ended = self._left.count(0)
        self._left = [it for it in self._left if it]
        for _ in range(ended):
            if self.now - self._told > self.told_seconds:
                self.limit.told(0)
                self._told = self.now
            self.limit.answered(self.now)
            self.places.append(self.limit.places)
        return ended


@pytest.mark.parametrize("draw", [same, spread])
@pytest.mark.parametrize("slots", [1, 2, 3, 4, 8, 16, 32])
def test_it_finds_the_slots_of_an_engine_and_keeps_them_at_work(
    slots: int, draw: Callable[[random.Random], float]
) -> None:
    engine = Engine(Limit(most=128), slots, draw=draw)
    engine.answer(3_000 + 300 * slots)
    assert engine.answer(8_000) >= 0.97
    usual = sorted(engine.places[-8_000:])[4_000]
    assert slots < usual <= 1.5 * slots + 1


@pytest.mark.parametrize("draw", [same, spread])
@pytest.mark.parametrize("slots", [16, 32, 64])
def test_it_is_soon_where_a_large_engine_is_full(
    slots: int, draw: Callable[[random.Random], float]
) -> None:
    engine = Engine(Limit(most=128), slots, draw=draw)
    engine.answer(100 + 10 * slots)
    assert engine.limit.places >= slots
    assert engine.answer(400) >= 0.8


@pytest.mark.parametrize("slots", [2, 8, 32])
def test_it_finds_them_by_the_engines_own_word_too(slots: int) -> None:
    engine = Engine(Limit(most=128), slots, tells=True)
    engine.answer(4_000)
    assert engine.answer(8_000) >= 0.95
    assert sorted(engine.places[-8_000:])[4_000] <= 1.5 * slots + 1


@pytest.mark.parametrize("start", [1.0, 2.0, 4.0, 8.0])
def test_an_engine_that_works_in_batches_gets_done_what_sixteen_at_once_would(start: float) -> None:
    engine = Batches(Limit(most=128), start)
    engine.answer(2_000)
    assert engine.answer(8_000) >= 0.97 * 16 / (16 + start)


@pytest.mark.parametrize(("before", "after"), [(4, 16), (16, 4), (8, 1), (1, 8)])
def test_it_follows_an_engine_that_changes(before: int, after: int) -> None:
    engine = Engine(Limit(most=64), before)
    engine.answer(5_000)
    engine.slots = after
    engine.answer(5_000)
    assert engine.answer(4_000) >= 0.95
    assert sorted(engine.places[-4_000:])[2_000] <= 1.5 * after + 1


def test_it_makes_up_for_the_time_between_two_calls() -> None:
    engine = Engine(Limit(most=64), 2, gap=SERVICE)
    engine.answer(4_000)
    assert engine.answer(8_000) >= 0.95


def test_it_never_leaves_its_bounds() -> None:
    engine = Engine(Limit(most=5), 32)
    engine.answer(2_000)
    assert set(engine.places) <= {4, 5}
    alone = Engine(Limit(most=1), 32)
    alone.answer(500)
    assert set(alone.places) == {1}


def test_time_in_which_nobody_waits_is_not_measured() -> None:
    engine = Engine(Limit(most=64), 8)
    for _ in range(60):
        engine.answer(200)
        engine.rest(1_000)
        engine.limit.idled()
    assert 8 < sorted(engine.places[-6_000:])[3_000] <= 13


@pytest.mark.parametrize("draw", [same, spread])
@pytest.mark.parametrize(("slots", "places"), [(1, 2), (2, 4), (4, 6), (5, 8), (8, 10), (16, 20)])
def test_an_engine_that_says_its_slots_is_given_them_and_a_margin_and_no_trial(
    slots: int, places: int, draw: Callable[[random.Random], float]
) -> None:
    engine = Engine(Limit(most=128), slots, draw=draw)
    engine.limit.serves(slots)
    assert engine.answer(4_000) >= 0.99
    assert set(engine.places) == {places}


def test_what_an_engine_says_of_its_slots_is_bounded_too() -> None:
    limit = Limit(most=5)
    limit.serves(4_096)
    assert limit.places == 5


def test_an_engine_that_says_its_slots_and_refuses_is_given_fewer_for_a_while() -> None:
    engine = Engine(Limit(most=64), 8)
    engine.limit.serves(8)
    engine.answer(100)
    engine.limit.refused()
    assert engine.limit.places < 10
    engine.limit.serves(8)
    assert engine.limit.places < 10
    engine.answer(500)
    assert engine.limit.places == 10


def test_an_engine_that_no_longer_says_its_slots_is_found_out() -> None:
    engine = Engine(Limit(most=64), 16)
    engine.limit.serves(4)
    engine.answer(1_000)
    assert set(engine.places) == {6}
    engine.limit.serves(None)
    engine.answer(5_000)
    assert engine.answer(4_000) >= 0.95


def test_refusals_bring_it_down_once_for_all_that_were_under_way() -> None:
    limit = Limit(most=64, start=16)
    limit.refused()
    fallen = limit.places
    assert fallen < 16
    for _ in range(10):
        limit.refused()
    assert limit.places == fallen
    for end in range(fallen + 1):
        limit.answered(float(end))
    limit.refused()
    assert limit.places < fallen
