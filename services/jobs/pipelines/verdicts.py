"""What pictures say of tasks, by a language model that is asked of each distinct sentence once, and
while other pictures are still looked at: a series takes as long as the slower of the two senses.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Final

from services.jobs.content import TimedTask
from services.jobs.domain import Json
from services.jobs.pipelines import judging, prompts
from services.jobs.pipelines.work import Work

_AT_ONCE: Final = 4


class Verdicts:
    """Asks of descriptions as they come, in any order; in the order of their pictures steps
    `judge/0`, ... are made of each distinct sentence, of several tasks one after the other.

    What the model's yes is, it finds before the first of each task, and anew when a job is taken
    up: by then another model may answer.
    """

    def __init__(self, tasks: Sequence[TimedTask], pictures: int, work: Work) -> None:
        self._tasks = tasks
        self._work = work
        loop = asyncio.get_running_loop()
        self._texts = [loop.create_future() for _ in range(pictures)]
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._asked_of = [loop.create_future() for _ in range(pictures)]
        """Of each picture, set once there is a task for each of its sentences."""
        self._judging: dict[str, list[asyncio.Task[None]]] = {}
        """The tasks that judge a sentence."""
        self._least: dict[str, float] = {}
        """How far the model leans towards yes when it means that a sentence makes a statement."""
        self._gauging: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._telling: set[tuple[str, str]] = set()
        """The ids of tasks, and the sentences that tell of them."""

    def hear(self, index: int, text: Json) -> None:
        """Take a picture's description."""
        self._texts[index].set_result(str(text))

    async def follow(self) -> None:
        """Judge every sentence, until that of the last picture is judged."""
        judged: dict[str, None] = {}
        count = 0
        async with asyncio.TaskGroup() as group:
            for text, asked_of in zip(self._texts, self._asked_of, strict=True):
                said = dict.fromkeys(judging.sentences(await text))
                new = [it for it in said if it not in judged]
                judged |= dict.fromkeys(new)
                asked = list(product(new, self._tasks))
                keys = [f"judge/{count + index}" for index in range(len(asked))]
                count += len(asked)
                if keys:
                    await self._work.steps.plan(*keys)
                for key, (sentence, task) in zip(keys, asked, strict=True):
                    judge = group.create_task(self._judge(key, sentence, task))
                    self._judging.setdefault(sentence, []).append(judge)
                asked_of.set_result(None)

    async def judged(self, index: int) -> tuple[str, ...]:
        """Wait until a picture's sentences are judged, and return them."""
        await self._asked_of[index]
        sentences = judging.sentences(self._texts[index].result())
        for sentence in sentences:
            await asyncio.wait(self._judging[sentence])
        return sentences

    def tell(self, sentences: Sequence[str]) -> bool:
        """Whether one of the sentences tells of one of the tasks."""
        return any(self.telling(it, sentences) for it in self._tasks)

    def telling(self, task: TimedTask, sentences: Sequence[str]) -> str:
        """The first of the sentences that tells of the task. Empty: none does."""
        return next((it for it in sentences if (task.id, it) in self._telling), "")

    async def _judge(self, key: str, sentence: str, task: TimedTask) -> None:
        async def judge() -> Json:
            reasoning = self._work.peers.reasoning
            for statement in (task.task, prompts.NEVER_SEEN):
                async with self._gauging[statement]:
                    if statement not in self._least:
                        self._least[statement] = await judging.least_lean(reasoning, statement)
            tells = await judging.tells_of(reasoning, self._least, task.task, sentence)
            return {"sentence": sentence, "tells": tells}

        async with self._free:
            verdict = await self._work.steps.run(key, judge, tell=_told)
        if verdict["tells"]:
            self._telling.add((task.id, sentence))


def _told(verdict: Json) -> str:
    tells = "tells" if verdict["tells"] else "does not tell"
    return f'"{verdict["sentence"]}" {tells} of the task'
