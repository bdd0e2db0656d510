"""Which of the ways to answer are scored: ours, the one that is replaced, a rule, and ours with a
judge that cannot err.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.quality.minds import Mind

Method = TypeVar("Method")


@dataclass(frozen=True)
class Methods(Generic[Method]):
    """The ways to do one thing."""

    ours: Callable[[Mind], Method]
    ours_again: Callable[[Mind], Method]
    """Beside the one that is replaced, where that is not asked about everything."""
    original: Callable[[Mind], Method]
    rule: Callable[[], Method]
    ceiling: Callable[[], Method]

    def asked_for(
        self, options: argparse.Namespace, mind: Mind | None, place: int
    ) -> Sequence[Method]:
        """Make those that are to answer the sequence or dialogue at a place."""
        methods: list[Method] = []
        if mind is not None and "ours" in options.methods:
            methods.append(self.ours(mind))
        if mind is not None and "original" in options.methods:
            if not options.original:
                methods.append(self.original(mind))
            elif place < options.original:
                methods += [self.original(mind), self.ours_again(mind)]
        if "rule" in options.methods:
            methods.append(self.rule())
        if "ceiling" in options.methods:
            methods.append(self.ceiling())
        return methods
