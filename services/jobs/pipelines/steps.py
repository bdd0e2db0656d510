"""Steps whose results are recorded, so that no step is done twice however often a job is taken up.

A pipeline must ask for the same steps under the same keys each time, as far as their results are
the same: whatever it decides by, it decides by the input and by results of steps. A job that is
under way outlives its worker's version, so a key keeps its meaning and its result its shape; a step
that newer code asks for besides is done, and nothing else is done again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from services.jobs.domain import Claim, Json, Progress
from services.jobs.ports.queue import JobQueue

Item = TypeVar("Item")


Heard = Callable[[int, Json], None]
"""Told the place of an item and its result."""


def nobody(_: int, __: Json) -> None:
    """Hear nothing."""


def _nothing(_: Json) -> str:
    return ""


class Steps:
    """The steps of one job in one worker's hands."""

    def __init__(self, queue: JobQueue, claim: Claim, recorded: Mapping[str, Json]) -> None:
        self._queue = queue
        self._claim = claim
        self._results = dict(recorded)
        self._planned: list[str] = []
        self._recording = asyncio.Lock()

    async def plan(self, *keys: str) -> None:
        """Announce steps that will follow, so that progress can be told; may be called again."""
        self._planned += keys
        await self._queue.report(self._claim, self._progress())

    async def tell(self, key: str, how_far: str) -> None:
        """Tell how far a step is that is under way."""
        progress = replace(self._progress(), current_step=f"{key} ({how_far})")
        await self._queue.report(self._claim, progress)

    async def run(
        self,
        key: str,
        step: Callable[[], Awaitable[Json]],
        *,
        tell: Callable[[Json], str] = _nothing,
    ) -> Json:
        """Return the recorded result of a step, or do it and record what it returns.

        `tell` says the result in short, for the event.
        """
        if key in self._results:
            return self._results[key]
        result = await step()
        # One at a time, so that what is told of progress never goes back.
        async with self._recording:
            self._results[key] = result
            await self._queue.record_step(
                self._claim, key, result, text=tell(result), progress=self._progress()
            )
        return result

    async def run_each(
        self,
        prefix: str,
        items: Sequence[Item],
        step: Callable[[Item], Awaitable[Json]],
        *,
        at_once: int,
        tell: Callable[[Json], str] = _nothing,
        heard: Heard = nobody,
        finishes: bool = False,
    ) -> list[Json]:
        """Run one step for each item, `prefix/0` and so on; results come in the order of the items.

        `heard` is told each as soon as it is there, those that were recorded before too.
        When one fails, no other is begun, and its error is raised; those under way are dropped, or
        finished first.
        """
        free = asyncio.Semaphore(at_once)
        failures: list[Exception] = []

        async def run(index: int, item: Item) -> Json:
            async with free:
                if failures:
                    return None
                try:
                    result = await self.run(f"{prefix}/{index}", lambda: step(item), tell=tell)
                    heard(index, result)
                    return result
                except Exception as failed:
                    if not finishes:
                        raise
                    failures.append(failed)

        await self.plan(*(f"{prefix}/{index}" for index in range(len(items))))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run(*numbered)) for numbered in enumerate(items)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        if failures:
            raise failures[0]
        return [task.result() for task in tasks]

    def _progress(self) -> Progress:
        left = [key for key in self._planned if key not in self._results]
        total = len(self._planned)
        return Progress(total - len(left), total, left[0] if left else "")
