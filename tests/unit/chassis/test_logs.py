import io
import json
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider

from services.chassis import logs


@pytest.fixture
def lines(monkeypatch):
    root = logging.getLogger()
    stream = io.StringIO()
    monkeypatch.setattr(logs.sys, "stderr", stream)
    before = root.handlers[:], root.level
    root.handlers.clear()
    logs.start("example")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_a_line_is_json_with_its_service_and_values(lines):
    logging.getLogger("room").warning("engine is slow", extra={"seconds": 3})
    [line] = lines()
    assert (line["service"], line["level"]) == ("example", "WARNING")
    assert (line["message"], line["seconds"]) == ("engine is slow", 3)


def test_a_line_inside_a_trace_carries_its_id(lines):
    with TracerProvider().get_tracer("test").start_as_current_span("call") as span:
        logging.getLogger("room").warning("working")
    [line] = lines()
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
