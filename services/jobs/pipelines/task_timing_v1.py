"""Finds when a task began and ended in a series of pictures.

Input: the task in words, and the pictures. Output: what was seen in each, and the stretches in
which the task went on. Steps: `describe/0`, ... say what each picture shows; `judge/0`, ... say for
each *distinct sentence* of the descriptions, in the order of its first picture, whether it tells of
the task. A picture shows the task when one of its sentences does. The rest is arithmetic:
`stretches` says how it treats a lone picture that contradicts its neighbours.
"""

from collections.abc import Sequence
from itertools import chain

from services.jobs.content import Observation, Task, TaskTimingInput, TaskTimingOutput
from services.jobs.domain import Json
from services.jobs.pipelines import judging
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.stretches import Stretch, stretches
from services.jobs.pipelines.work import Work


async def run(given: TaskTimingInput, work: Work) -> TaskTimingOutput:
    """Describe every picture, judge every sentence, and tell the stretches."""
    seen = await observe(given.images, given.image_prompt, work)
    said = [judging.sentences(observation.text) for observation in seen]
    distinct = list(dict.fromkeys(chain.from_iterable(said)))

    async def judge(sentence: str) -> Json:
        tells = await judging.tells_of(work.peers.reasoning, given.task, sentence)
        return {"sentence": sentence, "tells": tells}

    verdicts = await work.steps.run_each("judge", distinct, judge, at_once=1, tell=_told)
    telling = {verdict["sentence"] for verdict in verdicts if verdict["tells"]}
    shows = [not telling.isdisjoint(each) for each in said]
    tasks = tuple(_task(found, seen, shows) for found in stretches(shows))
    return TaskTimingOutput(seen, tasks, _summary(tasks, len(seen)))


def _told(verdict: Json) -> str:
    tells = "tells" if verdict["tells"] else "does not tell"
    return f'"{verdict["sentence"]}" {tells} of the task'


def _task(found: Stretch, seen: Sequence[Observation], shows: Sequence[bool]) -> Task:
    first, last = seen[found.start], seen[found.end]
    within = range(found.start, found.end + 1)
    return Task(
        start_image_id=first.image_id,
        end_image_id=last.image_id,
        start_time=first.capture_time,
        end_time=last.capture_time,
        start_index=found.start,
        end_index=found.end,
        evidence_image_ids=tuple(seen[index].image_id for index in within if shows[index]),
    )


def _summary(tasks: Sequence[Task], count: int) -> str:
    if not tasks:
        return f"The task was not seen in {_counted(count, 'picture')}."
    spans = ", then ".join(_span(task) for task in tasks)
    return f"The task went on {_counted(len(tasks), 'time')}: {spans}."


def _span(task: Task) -> str:
    if task.start_time is None or task.end_time is None:
        return f"from picture {task.start_image_id} to {task.end_image_id}"
    seconds = (task.end_time - task.start_time).total_seconds()
    return (
        f"from {task.start_time:%Y-%m-%d %H:%M:%S} to {task.end_time:%H:%M:%S} UTC "
        f"({seconds:g} s; pictures {task.start_image_id} to {task.end_image_id})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
