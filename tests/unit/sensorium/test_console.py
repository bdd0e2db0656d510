import io
import json
import logging
import subprocess
import sys

import pytest
from rich.console import Console

from sensorium.console import Screen


@pytest.fixture
def shown():
    def show(line: str, least: int = logging.INFO, **options: object) -> str:
        screen = Screen(least=least)
        screen.console = Console(file=io.StringIO(), width=200, soft_wrap=True, **options)
        screen.heard("vision", line)
        return screen.console.file.getvalue()

    return show


def test_a_log_record_is_shown_as_its_message_and_its_values(shown):
    record = {"time": "now", "level": "INFO", "message": "serving", "port": 1, "trace_id": "ab"}
    assert shown(json.dumps(record)).strip() == "vision | serving  port=1"


def test_a_line_that_is_no_record_is_shown_as_it_is(shown):
    assert shown('["a", "list"]').strip() == 'vision | ["a", "list"]'


@pytest.mark.parametrize(("level", "seen"), [("INFO", False), ("WARNING", True), ("ERROR", True)])
def test_unimportant_lines_can_be_left_out(shown, level, seen):
    record = json.dumps({"level": level, "message": "it happened"})
    assert ("it happened" in shown(record, logging.WARNING)) is seen


def test_a_process_cannot_move_the_cursor_or_use_markup(shown):
    text = shown("\x1b[2J[red]wiped[/red]\x07")
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]wiped[/red]" in text


def test_colours_are_for_terminals(shown):
    assert "\x1b[" in shown("hello", force_terminal=True)
    assert "\x1b[" not in shown("hello")


def test_a_reader_that_goes_away_does_not_stop_what_runs():
    program = (
        "import sys; from sensorium.console import Screen; screen = Screen()\n"
        "for _ in range(2000): screen.tell('a line that is long enough to fill a pipe' * 4)\n"
        "sys.stderr.write('went on')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as speaking:
        speaking.stdout.readline()
        speaking.stdout.close()
        said = speaking.stderr.read()
    assert said == b"went on"
    assert speaking.returncode == 0
