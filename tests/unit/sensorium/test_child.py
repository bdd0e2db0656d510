import asyncio
import contextlib
import os
import signal

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import child as child_module
from sensorium.launcher.child import Child

FOREVER = "import time\nwhile True: time.sleep(9)"


async def gone(pid: int) -> None:
    """Wait until a process has ended, whoever its parent is."""
    with contextlib.suppress(ProcessLookupError):
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        handle = os.pidfd_open(pid)
        loop.add_reader(handle, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), 10)
        finally:
            loop.remove_reader(handle)
            os.close(handle)


async def test_a_program_is_ready_when_its_probe_says_so(program, voices, tmp_path):
    flag = tmp_path / "flag"

    async def probe() -> None:
        assert flag.exists()

    code = f"open({str(flag)!r}, 'w').close()\n{FOREVER}"
    child = Child(program("one", code, probe=probe), voices)
    await child.start()
    assert flag.exists()
    await child.stop()


async def test_its_lines_are_passed_on(program, voices):
    child = Child(program("one", f"print('hello')\n{FOREVER}"), voices)
    await child.start()
    await voices.wait("one", "hello")
    await child.stop()


async def test_lines_that_are_kept_are_not_passed_on_and_a_bar_of_progress_is_one(
    program, voices, tmp_path
):
    log = tmp_path / "one.log"
    code = f"print('half\\rwhole')\nraise SystemExit(3)\n{FOREVER}"

    async def never() -> None:
        raise ConnectionError

    child = Child(program("one", code, probe=never, log=log), voices)
    with pytest.raises(Trouble, match=f"All that it said is in {log}"):
        await child.start()
    await child.stop()
    assert log.read_text() == "whole\n"
    assert voices.lines == []


async def test_how_far_one_is_that_takes_its_time_is_told(program, voices, tmp_path, monkeypatch):
    monkeypatch.setattr(child_module, "PATIENCE_SECONDS", 0.1)

    async def once_told() -> None:
        await voices.wait("one", "not ready after 0 s. loading")

    code = f"print('loading')\n{FOREVER}"
    child = Child(program("one", code, probe=once_told, log=tmp_path / "log"), voices)
    await child.start()
    await child.stop()


async def test_a_line_without_end_neither_stops_the_reading_nor_fills_memory(program, voices):
    code = f"print('x' * {3 * child_module.LINE_BYTES})\nprint('after')\n{FOREVER}"
    child = Child(program("one", code), voices)
    await child.start()
    await voices.wait("one", "after")
    await child.stop()


async def test_a_program_that_dies_before_it_is_ready_is_told_with_its_last_words(program, voices):
    async def never() -> None:
        raise ConnectionError

    code = "print('the model is missing')\nraise SystemExit(3)"
    child = Child(program("one", code, probe=never, hint="look there"), voices)
    with pytest.raises(Trouble, match="one ended with 3") as trouble:
        await child.start()
    assert "the model is missing" in str(trouble.value)
    assert "look there" in str(trouble.value)
    await child.stop()


async def test_a_program_that_is_never_ready_is_given_up(program, voices):
    async def never() -> None:
        raise ConnectionError

    child = Child(program("one", FOREVER, probe=never, ready_seconds=0.2), voices)
    with pytest.raises(Trouble, match="was not ready within"):
        await child.start()
    pid = child.pid
    await child.stop()
    await gone(pid)


async def test_a_program_that_runs_once_is_ready_at_its_end(program, voices):
    child = Child(program("one", "print('done')", once=True), voices)
    await child.start()
    assert child.pid is None
    await child.stop()


async def test_a_program_that_cannot_be_run_is_told(program, voices):
    missing = program("one", "", once=True)
    object.__setattr__(missing, "command", ("/nowhere/at/all",))
    child = Child(missing, voices)
    with pytest.raises(Trouble, match="/nowhere/at/all: No such file"):
        await child.start()
    await child.stop()


async def test_a_program_that_does_not_end_when_told_is_forced(program, voices, monkeypatch):
    monkeypatch.setattr(child_module, "STOP_SECONDS", 0.1)
    code = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\n{FOREVER}"
    child = Child(program("one", code), voices)
    await child.start()
    await voices.wait("one", "deaf")
    pid = child.pid
    await child.stop()
    await gone(pid)
    assert any("forced" in line for line in voices.of("one"))


async def test_what_a_program_started_is_ended_with_it(program, voices):
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', {FOREVER!r}])\n"
        f"print(child.pid)\n{FOREVER}"
    )
    child = Child(program("one", code), voices)
    await child.start()
    await voices.wait("one")
    grandchild = int(voices.of("one")[0])
    os.kill(grandchild, 0)
    await child.stop()
    await gone(grandchild)


async def test_an_end_by_a_signal_is_named(program, voices):
    child = Child(program("one", FOREVER), voices)
    await child.start()
    os.kill(child.pid, signal.SIGKILL)
    assert "was ended by SIGKILL" in str(await child.ended())
    await child.stop()
