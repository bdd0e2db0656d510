"""Something put into words in several ways, some kept back for held-out seeds, so that no method is
tuned to the words that it is scored on.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wordings:
    """What may be said of one thing."""

    known: Sequence[str]
    """With every seed."""
    kept_back: Sequence[str]
    """With held-out seeds besides."""

    def one(self, rng: random.Random, *, held_out: bool) -> str:
        """Choose a wording."""
        return rng.choice(self.all(held_out=held_out))

    def all(self, *, held_out: bool) -> Sequence[str]:
        """Every wording that there may be."""
        return [*self.known, *(self.kept_back if held_out else ())]
