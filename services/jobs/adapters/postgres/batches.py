"""Gathers what many ask for at the same time into batches that are written one after the other: the
next batch is whatever came while the last one was written. It knows no table.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.chassis.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST: Final = 100
"""So many: half of what is under way in a busy room or worker, so that the other half goes
on meanwhile. What one statement tells of fits into one notice, and it holds its locks briefly.
"""


@dataclass(eq=False, slots=True)
class _Asked(Generic[Item, Result]):
    item: Item
    key: Hashable
    weight: int
    # A batch is traced as part of what its first item is part of.
    context: Context
    answer: asyncio.Future[Result]


class Batches(Generic[Item, Result]):
    """Writes items in batches by `write`, which returns a result for each, in their order.

    A batch is all or nothing. When one is refused, its items are written one by one, so that only
    the item that is at fault fails. Items of one key are never in the same batch, and are written
    in the order in which they came.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        key: Callable[[Item], Hashable],
        weigh: Callable[[Item], int] = lambda _: 0,
        most_weight: int = 1,
    ) -> None:
        self._write = write
        self._key = key
        self._weigh = weigh
        self._most_weight = most_weight
        self._waiting: deque[_Asked[Item, Result]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Write an item with others. What is cancelled before its batch begins is not written."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(
            _Asked(item, self._key(item), self._weigh(item), copy_context(), answer)
        )
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        batch: list[_Asked[Item, Result]] = []
        told: Sequence[Result | Exception] = ()
        try:
            while self._waiting:
                # Those who are ready at the same moment come along.
                await asyncio.sleep(0)
                if following := self._next():
                    writing = asyncio.create_task(
                        self._told(following), context=following[0].context
                    )
                    # It is on its way before those of the last batch go on, who have much to do.
                    await asyncio.sleep(0)
                    _answer(batch, told)
                    batch, told = following, await writing
            _answer(batch, told)
        finally:
            self._writing = None

    def _next(self) -> list[_Asked[Item, Result]]:
        batch: dict[Hashable, _Asked[Item, Result]] = {}
        later: list[_Asked[Item, Result]] = []
        weight = 0
        while self._waiting and len(batch) < _MOST and weight < self._most_weight:
            asked = self._waiting.popleft()
            if asked.answer.done():
                continue
            if asked.key in batch:
                later.append(asked)
            else:
                batch[asked.key] = asked
                weight += asked.weight
        self._waiting.extendleft(reversed(later))
        return list(batch.values())

    async def _told(self, batch: Sequence[_Asked[Item, Result]]) -> Sequence[Result | Exception]:
        try:
            return await self._write([asked.item for asked in batch])
        except Exception as failed:
            if len(batch) > 1 and not isinstance(failed, Unavailable):
                return [told for asked in batch for told in await self._told([asked])]
            return [failed] * len(batch)


def _answer(batch: Sequence[_Asked[Item, Result]], told: Sequence[Result | Exception]) -> None:
    for asked, result in zip(batch, told, strict=True):
        if asked.answer.done():
            continue
        if isinstance(result, Exception):
            asked.answer.set_exception(result)
        else:
            asked.answer.set_result(result)
