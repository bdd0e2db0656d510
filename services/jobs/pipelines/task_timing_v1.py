"""Finds when tasks began and ended in a series of pictures.

Input: the tasks in words, and the pictures. Output: what was seen in each, the stretches in which
each task went on, with the two pictures that each end lies between, how sure that is and why, and
the timeline that all this was found by. The method:

1. *Observe.* `describe/0`, ... say what each picture shows; the same bytes are looked at once.
2. *Judge.* `judge/0`, ... say for each *distinct sentence* of the descriptions, in the order of
   its first picture, whether it tells of the task; of several tasks each in turn. How sure the
   model must be is measured by what it says of the task's own words and of sentences about
   something else: each model leans its own way. A picture shows a task when
   one of its sentences tells of it. `readable/0`, ... say of short descriptions that
   tell of no task whether their pictures can be made out; one that cannot says nothing.
3. *Smooth.* The rest is arithmetic: `stretches` says how it weighs a picture against its
   neighbours, what it makes of times, gaps, pauses and repeated pictures, and where a task's end
   was not seen.

No number in the output is a model's, and every word of a model in it stands in quotation marks.
"""

import asyncio
from datetime import timedelta

from services.jobs.content import Moment, Sighting, TaskTimingInput, TaskTimingOutput
from services.jobs.pipelines import findings, judging
from services.jobs.pipelines.legibility import Legibility
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.stretches import timeline
from services.jobs.pipelines.verdicts import Verdicts
from services.jobs.pipelines.work import Work


async def run(given: TaskTimingInput, work: Work) -> TaskTimingOutput:
    """Describe every picture, judge every sentence, and tell the stretches."""
    tasks = given.wanted
    verdicts = Verdicts(tasks, len(given.images), work)
    legibility = Legibility(verdicts, len(given.images), work)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(verdicts.follow())
            group.create_task(legibility.follow())
            seen = await observe(given.images, given.image_prompt, work, heard=verdicts.hear)
    except ExceptionGroup as failed:
        raise _first(failed) from None
    said = [judging.sentences(it.text) for it in seen]
    series = findings.Series(seen, said)
    pause = timedelta(seconds=given.most_pause_seconds)
    times = [it.capture_time for it in seen]
    found, lines = [], []
    for task in tasks:
        tells = [verdicts.telling(task, it) for it in said]
        says = [
            None if not it or legibility.is_unreadable(it) else bool(telling)
            for it, telling in zip(said, tells, strict=True)
        ]
        lines.append(timeline(says, times, most_pause=pause))
        found.append([findings.task(task, it, series, says, tells) for it in lines[-1].found])
    moments = tuple(
        Moment(
            it.image_id,
            it.capture_time,
            tuple(
                Sighting(task.id, line.says[index], line.likely[index])
                for task, line in zip(tasks, lines, strict=True)
            ),
        )
        for index, it in enumerate(seen)
    )
    every = tuple(task for each in found for task in each)
    return TaskTimingOutput(seen, every, findings.summary(tasks, found, len(seen)), moments)


def _first(failed: ExceptionGroup[Exception]) -> Exception:
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
