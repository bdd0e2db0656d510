"""Which descriptions say that their picture cannot be made out, by a language model that is asked
of each as soon as it is known to tell of no task, while other pictures are still looked at.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.jobs.domain import Json
from services.jobs.pipelines import judging
from services.jobs.pipelines.verdicts import Verdicts
from services.jobs.pipelines.work import Work

_AT_ONCE: Final = 4
_SHORT: Final = 2
"""A description of more sentences than these says what is in its picture."""


class Legibility:
    """Asks of distinct short descriptions that tell of no task, in the order of their pictures, in
    steps `readable/0`, ...
    """

    def __init__(self, verdicts: Verdicts, pictures: int, work: Work) -> None:
        self._verdicts = verdicts
        self._pictures = pictures
        self._work = work
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._unreadable: set[tuple[str, ...]] = set()

    async def follow(self) -> None:
        """Ask of every description, until that of the last picture is answered."""
        asked: set[tuple[str, ...]] = set()
        async with asyncio.TaskGroup() as group:
            for index in range(self._pictures):
                said = await self._verdicts.judged(index)
                if not 0 < len(said) <= _SHORT or said in asked or self._verdicts.tell(said):
                    continue
                key = f"readable/{len(asked)}"
                asked.add(said)
                await self._work.steps.plan(key)
                group.create_task(self._ask(key, said))

    def is_unreadable(self, sentences: Sequence[str]) -> bool:
        """Whether a description says that nothing can be made out."""
        return tuple(sentences) in self._unreadable

    async def _ask(self, key: str, sentences: tuple[str, ...]) -> None:
        async def ask() -> Json:
            return await judging.is_readable(self._work.peers.reasoning, " ".join(sentences))

        async with self._free:
            readable = await self._work.steps.run(key, ask, tell=_told)
        if not readable:
            self._unreadable.add(sentences)


def _told(readable: Json) -> str:
    return "it can be made out" if readable else "it cannot be made out"
