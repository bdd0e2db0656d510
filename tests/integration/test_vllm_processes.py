"""The process that holds vLLM's together, with other processes in their place."""

import os
import signal
import subprocess
import sys

from tests.integration.test_launcher import ended

FAMILY = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
print(os.getpid(), child.pid, flush=True)
sys.exit(child.wait() and 7)
"""
PARENT = f"""
import subprocess, sys
held = [sys.executable, "-m", "sensorium.engines.vllm", sys.executable, "-S", "-c", {FAMILY!r}]
with subprocess.Popen(held, start_new_session=True) as process:
    print(process.pid, flush=True)
    sys.exit(process.wait())
"""


def parent() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PARENT]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def pids(of: subprocess.Popen[str]) -> list[int]:
    assert of.stdout is not None
    return [int(it) for _ in range(2) for it in of.stdout.readline().split()]


def test_nothing_of_it_is_left_when_whoever_started_it_is_killed():
    with parent() as starter:
        family = pids(starter)
        starter.kill()
        assert len(family) == 3
        assert all(ended(pid) for pid in family)


def test_its_group_ends_by_itself_when_told_to_and_it_ends_last():
    with parent() as starter:
        holder, *_ = pids(starter)
        os.killpg(holder, signal.SIGTERM)
        assert starter.wait(10) == 128 + signal.SIGTERM


def test_it_ends_as_what_it_runs_does():
    with parent() as starter:
        _, _, grandchild = pids(starter)
        os.kill(grandchild, signal.SIGKILL)
        assert starter.wait(10) == 7


def test_a_program_that_is_not_there_is_told():
    command = [sys.executable, "-m", "sensorium.engines.vllm", "/nowhere/python"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "/nowhere/python: No such file or directory\n")
