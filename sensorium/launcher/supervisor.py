"""Many programs at once: each started when what it needs is ready, started again when it ends by
itself, and all stopped in good order. It knows nothing of what they do.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

from sensorium.errors import Trouble
from sensorium.launcher.child import Child
from sensorium.launcher.program import Program, Voice

RESTARTS: Final = 5
"""How often a program that ends by itself is started again before the mesh gives up."""
LASTING_SECONDS: Final = 60.0
"""A program that ran this long starts counting anew."""
BACKOFF_SECONDS: Final = 0.25
"""The pause before the first restart; each further one is twice as long."""


@asynccontextmanager
async def running(programs: Collection[Program], voice: Voice) -> AsyncIterator[dict[str, Child]]:
    """Run programs for a block, which begins when all are ready.

    Raises `Trouble`, also into the block, when one cannot be started or does not stay up. Whatever
    happens, every process has ended when this returns.
    """
    children = {program.name: Child(program, voice) for program in programs}
    ready = {program.name: asyncio.Event() for program in programs}
    try:
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(_keep(child, ready, voice)) for child in children.values()]
            for event in ready.values():
                await event.wait()
            yield children
            for keeper in keepers:
                keeper.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    finally:
        await _stop(children.values())


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def _keep(child: Child, ready: Mapping[str, asyncio.Event], voice: Voice) -> None:
    program, loop = child.program, asyncio.get_running_loop()
    for name in program.needs:
        await ready[name].wait()
    begun = loop.time()
    await child.start()
    voice.told(
        program.name, f"{'done' if program.once else 'ready'} in {loop.time() - begun:.1f} s"
    )
    ready[program.name].set()
    restarts = itertools.count(1)
    while not program.once:
        begun = loop.time()
        trouble = await child.ended()
        if loop.time() - begun > LASTING_SECONDS:
            restarts = itertools.count(1)
        await _restart(child, trouble, restarts, voice)


async def _restart(
    child: Child, trouble: Trouble, restarts: "itertools.count[int]", voice: Voice
) -> None:
    for attempt in restarts:
        if attempt > RESTARTS:
            raise Trouble(f"{trouble}\n  It was started {RESTARTS} times again; giving up.")
        voice.told(child.program.name, f"{str(trouble).splitlines()[0]}; starting it again")
        await child.stop()
        await asyncio.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))
        try:
            await child.start()
        except Trouble as failed:
            trouble = failed
        else:
            voice.told(child.program.name, "ready again")
            return


async def _stop(children: Collection[Child]) -> None:
    tiers: dict[int, list[Child]] = {}
    for child in children:
        tiers.setdefault(child.program.tier, []).append(child)
    for tier in sorted(tiers, reverse=True):
        await asyncio.gather(*(child.stop() for child in tiers[tier]))
