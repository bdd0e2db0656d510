import asyncio
import os
import signal

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import supervisor

FOREVER = "import time\nwhile True: time.sleep(9)"
NOISY = (
    "import signal, sys, time\n"
    "def bye(*_):\n    print('bye')\n    sys.exit()\n"
    "signal.signal(signal.SIGTERM, bye)\nprint('hello')\n"
    "while True: time.sleep(9)"
)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "RESTARTS", 2)


async def test_a_program_is_started_when_what_it_needs_is_ready(program, voices, tmp_path):
    made = tmp_path / "made"
    first = program("first", f"open({str(made)!r}, 'w').close()", once=True)
    second = program("second", f"open({str(made)!r})\n{FOREVER}", needs=("first",), tier=1)
    async with supervisor.running([second, first], voices) as children:
        assert children["second"].pid


async def test_independent_programs_start_together(program, voices):
    waiting = []
    together = asyncio.Event()

    async def probe() -> None:
        waiting.append(1)
        if len(waiting) == 2:
            together.set()
        await asyncio.wait_for(together.wait(), 10)

    programs = [program(name, FOREVER, probe=probe) for name in ("one", "two")]
    async with supervisor.running(programs, voices):
        assert len(waiting) == 2


async def test_higher_tiers_stop_before_lower_ones(program, voices):
    programs = [program(f"tier-{tier}", NOISY, tier=tier) for tier in (0, 2, 1)]
    async with supervisor.running(programs, voices):
        for tier in range(3):
            await voices.wait(f"tier-{tier}", "hello")
    byes = [name for name, line in voices.lines if line == "bye"]
    assert byes == ["tier-2", "tier-1", "tier-0"]


async def test_a_failed_start_stops_everything_and_tells_its_cause(program, voices):
    good = program("good", NOISY)
    bad = program("bad", "raise SystemExit('no such model')", once=True)
    with pytest.raises(Trouble, match="no such model"):
        async with supervisor.running([good, bad], voices):
            pytest.fail("the block began")


async def test_a_program_that_ends_by_itself_is_started_again(program, voices):
    async with supervisor.running([program("one", NOISY)], voices) as children:
        await voices.wait("one", "hello")
        first = children["one"].pid
        os.kill(first, signal.SIGKILL)
        await voices.wait("one", "hello", times=2)
        assert children["one"].pid != first
    assert "one was ended by SIGKILL" in "\n".join(voices.of("one"))


async def test_a_program_that_keeps_ending_is_given_up_and_the_block_is_told(program, voices):
    async def run() -> None:
        async with supervisor.running([program("one", "print('again')")], voices):
            await asyncio.Event().wait()

    with pytest.raises(Trouble, match="giving up"):
        await asyncio.wait_for(run(), 20)
    assert voices.of("one").count("again") == 3


async def test_what_goes_wrong_in_the_block_comes_out_as_it_is(program, voices):
    with pytest.raises(Trouble, match="the story failed"):
        async with supervisor.running([program("one", FOREVER)], voices):
            raise Trouble("the story failed")


async def test_a_cancelled_block_stops_everything(program, voices):
    pids = []
    begun = asyncio.Event()

    async def run() -> None:
        async with supervisor.running([program("one", FOREVER)], voices) as children:
            pids.append(children["one"].pid)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
