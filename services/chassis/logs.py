"""Logs as JSON lines on standard error, each with the trace that it belongs to. What users send
never goes in.
"""

import logging
import os
import sys

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter


def start(name: str) -> None:
    """Send the logs of this process to standard error as JSON; `LOG_LEVEL` sets how much (default
    INFO).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": name},
        )
    )
    handler.addFilter(_add_trace)
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), handlers=[handler], force=True
    )


def _add_trace(record: logging.LogRecord) -> bool:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record.trace_id = trace.format_trace_id(context.trace_id)
        record.span_id = trace.format_span_id(context.span_id)
    return True
