"""The words of the reasoning room, beside those of the engine that it shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.engine.domain import Answer


@dataclass(frozen=True)
class Generated:
    """The answer to a conversation."""

    answer: Answer
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""


@dataclass(frozen=True)
class Chosen:
    """How likely each of some answers is."""

    probabilities: tuple[float, ...]
    """Of each answer, in their order; together 1."""
    weighed: bool
    """Whether the engine told how likely they are. Otherwise it chose one, which has all."""
    input_tokens: int
    output_tokens: int
    model: str
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""


@dataclass(frozen=True)
class Extracted:
    """An answer in JSON that fits its schema."""

    value: Mapping[str, Any] = field(repr=False)
    input_tokens: int
    """Of every try."""
    output_tokens: int
    """Of every try."""
    model: str
    processing_time: timedelta
    """From the room's receipt of the request to the end of the answer."""
