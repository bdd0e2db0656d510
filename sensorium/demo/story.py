"""The demo as a story with three parts, told while it happens. It fails, in words, when a part does
or when a task's start or end is not where it truly was.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final
from uuid import uuid4

from rich.table import Table

from sensorium.console import Screen
from sensorium.demo import samples
from sensorium.demo.wire import Json, Wire, connected, timing_job
from sensorium.errors import Trouble
from sensorium.launcher import mesh

FRAMES_OFF: Final = 1
"""How far a found start or end may be from the truth."""


async def show(on: str | mesh.Prepared, screen: Screen) -> None:
    """Tell the story on the mesh at an address, or on one started for it and stopped after it."""
    async with AsyncExitStack() as stack:
        if isinstance(on, str):
            url = on
        else:
            screen.tell("Starting the mesh ...", "bold")
            running = await stack.enter_async_context(mesh.running(on, screen))
            screen.tell(f"The mesh is ready in {running.seconds:.1f} s at {running.url}.", "bold")
            for notice in running.notices:
                screen.tell(notice, "bold yellow")
            url = running.url
        wire = await stack.enter_async_context(connected(url))
        await _task(wire, samples.task(), screen)
        await _picture(wire, samples.task(), screen)
        await _dialogue(wire, samples.dialogue(), screen)
    screen.tell("\nEverything worked.", "bold green")


async def _task(wire: Wire, task: samples.Task, screen: Screen) -> None:
    screen.tell(
        f'\n1. When did this happen: "{task.words}"? {len(task.frames)} pictures, posted as a job '
        "over REST.",
        "bold",
    )
    job = timing_job(task, f"demo-{uuid4()}")
    created = (await wire.post("/mesh/v1/jobs", json=job))["job"]["id"]
    again = await wire.create_over_grpc(job)
    if again != created:
        raise Trouble(f"the same request_id gave another job over gRPC: {again}, not {created}")
    screen.tell(f"   job {created}; created again over gRPC with its request_id: the same job.")
    last: Json = {}
    async for last in wire.watch(created):
        _tell_step(last.get("event", {}), task, screen)
    finished = last.get("job", {})
    if finished.get("state") != "JOB_STATE_COMPLETED":
        reason = finished.get("error", {}).get("message", "the stream ended before it did")
        raise Trouble(f"the job {created} was not completed: {reason}")
    _compare(finished["output"]["task_timing_v1"]["tasks"], task, screen)


def _tell_step(event: Json, task: samples.Task, screen: Screen) -> None:
    if event.get("kind") != "JOB_EVENT_KIND_STEP_COMPLETED":
        return
    step, _, index = event["step"].partition("/")
    progress = event.get("progress", {})
    done = f"   {progress.get('done_steps', 0):3}/{progress.get('total_steps', 0) or '?':<3}"
    text = event["text"]
    if step != "describe":
        screen.tell(f"{done} {event['step']}: {text}", "dim")
        return
    frame = task.frames[int(index)]
    right = text == frame.caption
    mark = "" if right else f"  (in truth: {frame.caption})"
    screen.tell(f"{done} {frame.id}: {text}{mark}", "" if right else "yellow")


def _compare(found: Sequence[Json], task: samples.Task, screen: Screen) -> None:
    if len(found) != 1:
        raise Trouble(f"the task went on once, and was found {len(found)} times")
    table = Table("", "found", "truth", "frames off")
    worst = 0
    for name, truth in (("start", task.start_index), ("end", task.end_index)):
        index = int(found[0].get(f"{name}_index", 0))
        worst = max(worst, abs(index - truth))
        table.add_row(name, _at(task, index), _at(task, truth), f"{index - truth:+d}")
    screen.console.print(table)
    if worst > FRAMES_OFF:
        raise Trouble(f"the task's start or end is {worst} frames off; {FRAMES_OFF} is allowed")


def _at(task: samples.Task, index: int) -> str:
    frame = task.frames[index]
    return f"{_clock(frame.taken)} ({frame.id})"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}"


async def _picture(wire: Wire, task: samples.Task, screen: Screen) -> None:
    frame = task.frames[(task.start_index + task.end_index) // 2]
    screen.tell(f"\n2. What does {frame.id} show? One picture, sent as it is.", "bold")
    headers = {"Content-Type": "image/jpeg"}
    answer = await wire.post("/mesh/v1/vision:describeUpload", data=frame.data, headers=headers)
    screen.tell(f"   described: {answer['description']}")
    screen.tell(f"   truth:     {frame.caption}", "dim")


async def _dialogue(wire: Wire, dialogue: samples.Dialogue, screen: Screen) -> None:
    screen.tell(f"\n3. What is said here? {dialogue.seconds:.0f} s of two speakers.", "bold")
    answer = await wire.post(
        "/mesh/v1/audio:transcribe",
        data=dialogue.audio,
        params={"language": dialogue.language},
        headers={"Content-Type": "audio/ogg"},
    )
    segments = answer["transcript"].get("segments", [])
    if not segments:
        raise Trouble("the dialogue has words, and none were heard")
    for segment in segments:
        start, end = (_offset(segment, name) for name in ("start_offset", "end_offset"))
        screen.tell(f"   {start:6.2f} - {end:6.2f}  {segment['text'].strip()}")
    screen.tell("   In truth:", "dim")
    for turn in dialogue.turns:
        screen.tell(f"   {turn.start:6.2f} - {turn.end:6.2f}  {turn.speaker}: {turn.text}", "dim")


def _offset(segment: Json, name: str) -> float:
    return float(str(segment.get(name, "0s")).removesuffix("s"))
