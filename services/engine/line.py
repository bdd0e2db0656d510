"""Who waits, and who is next: live calls before interactive ones, those before jobs, and within a
class one tenant after the other, each as often in a row as its weight says.

Nobody starves: of the places that are given while a lower class waits, every sixteenth is its. A
class that is full takes a caller whose tenant waits with fewer than another by sending that one's
newest away. A class is full by count, or by the bytes that those who wait in it hold. It knows
neither time nor what is waited for.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from services.chassis.call import Priority

PATIENCE: Final = 16
"""Every how many places a class that others go before gets one nevertheless."""

Key = TypeVar("Key")


@dataclass(eq=False)
class Waiter(Generic[Key]):
    """One who waits."""

    key: Key
    priority: Priority
    tenant: str
    size: int = 0
    """In bytes: what is held for as long as it waits."""


class _Class(Generic[Key]):
    def __init__(self, room: int, weights: Mapping[str, int]) -> None:
        self.room = room
        self._weights = weights
        self._given = 0
        """Turns in a row that the first tenant has had."""
        self.tenants: OrderedDict[str, deque[Waiter[Key]]] = OrderedDict()
        self.count = 0
        self.size = 0
        self.passed_over = 0

    def add(self, waiter: Waiter[Key]) -> None:
        self.tenants.setdefault(waiter.tenant, deque()).append(waiter)
        self.count += 1
        self.size += waiter.size

    def remove(self, waiter: Waiter[Key]) -> None:
        mine = self.tenants[waiter.tenant]
        mine.remove(waiter)
        self.count -= 1
        self.size -= waiter.size
        if not mine:
            if next(iter(self.tenants)) == waiter.tenant:
                self._given = 0
            del self.tenants[waiter.tenant]

    def next(self) -> Waiter[Key]:
        tenant, mine = next(iter(self.tenants.items()))
        waiter = mine[0]
        self._given += 1
        self.remove(waiter)
        if mine and self._given >= self._weights.get(tenant, 1):
            self.tenants.move_to_end(tenant)
            self._given = 0
        self.passed_over = 0
        return waiter

    def newest_of_most(self) -> Waiter[Key]:
        return max(self.tenants.values(), key=len)[-1]

    def held_by(self, tenant: str) -> int:
        return len(self.tenants.get(tenant, ()))


class Line(Generic[Key]):
    """Holds so many of each class as `rooms` says, and of their bytes at most `most_bytes`. A
    tenant of a weight gets so many places in a row, any other one.
    """

    def __init__(
        self,
        *,
        rooms: Mapping[Priority, int],
        most_bytes: int,
        weights: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._most_bytes = most_bytes
        self._classes: dict[Priority, _Class[Key]] = {
            it: _Class(rooms[it], weights) for it in Priority
        }

    def __len__(self) -> int:
        return sum(it.count for it in self._classes.values())

    def waiting(self, priority: Priority) -> int:
        """How many of a class wait."""
        return self._classes[priority].count

    def ahead_of(self, priority: Priority) -> int:
        """How many wait that a newcomer of a class goes behind."""
        return sum(self._classes[it].count for it in _down_to(priority))

    def join(self, waiter: Waiter[Key]) -> Waiter[Key] | None:
        """Let somebody wait. Returns who cannot stay for it: nobody, another, or the newcomer."""
        its = self._classes[waiter.priority]
        if self._fits(waiter, its.count, its.size):
            its.add(waiter)
            return None
        sent_away = self._giving_way(waiter)
        if sent_away is None:
            return waiter
        its.remove(sent_away)
        its.add(waiter)
        return sent_away

    def takes(self, waiter: Waiter[Key]) -> bool:
        """Whether somebody could wait, be it in the place of another."""
        its = self._classes[waiter.priority]
        return self._fits(waiter, its.count, its.size) or self._giving_way(waiter) is not None

    def leave(self, waiter: Waiter[Key]) -> None:
        """Forget somebody who waits no more; who was called already is not in the line."""
        its = self._classes[waiter.priority]
        if waiter in its.tenants.get(waiter.tenant, ()):
            its.remove(waiter)

    def next(self) -> Waiter[Key]:
        """Take who is next out of the line, which must not be empty."""
        waiting = [it for it in self._classes.values() if it.count]
        chosen = next((it for it in waiting if it.passed_over >= PATIENCE - 1), waiting[0])
        for lower in waiting[waiting.index(chosen) + 1 :]:
            lower.passed_over += 1
        return chosen.next()

    def _fits(self, waiter: Waiter[Key], count: int, size: int) -> bool:
        room = self._classes[waiter.priority].room
        return count < room and size + waiter.size <= self._most_bytes

    def _giving_way(self, waiter: Waiter[Key]) -> Waiter[Key] | None:
        its = self._classes[waiter.priority]
        if not its.count:
            return None
        last = its.newest_of_most()
        fewer = its.held_by(waiter.tenant) + 1 < its.held_by(last.tenant)
        return last if fewer and self._fits(waiter, its.count - 1, its.size - last.size) else None


def _down_to(priority: Priority) -> list[Priority]:
    order = list(Priority)
    return order[: order.index(priority) + 1]
