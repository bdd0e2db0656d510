import io
import json
import logging

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
