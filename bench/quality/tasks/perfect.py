"""A judge of what is said of pictures that cannot err: it knows how every sentence is worded."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.quality.minds import Cost, Turns
from bench.quality.tasks import wording
from bench.quality.tasks.sequences import TASKS
from bench.quality.wordings import Wordings
from models.aisle.world import Worker


class Perfect:
    """Knows what every sentence means: the ceiling of a method on given descriptions."""

    def __init__(self) -> None:
        self.cost = Cost()
        self._true = {
            "stocking": _every(wording.WORKER[Worker.STOCKING]),
            "standing": _every(wording.WORKER[Worker.STANDING]),
            "spill": _every(wording.FLOOR[True]),
            "ladder": _every(wording.LADDER[True]),
            "empty": _every(wording.EMPTY),
        }
        self._task = {words: name for name, (words, _) in TASKS.items()}

    async def extract(self, turns: Turns, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer by the wordings."""
        said = turns[-1][1].removeprefix("Description: ")
        return {"readable": said not in _every(wording.UNREADABLE)}

    async def choose(self, turns: Turns, answers: Sequence[str]) -> Sequence[float]:
        """Answer by the wordings, and to what is said in its own words."""
        statement, _, said = turns[-1][1].removeprefix("Statement: ").partition("\nSentence: ")
        known = self._true[self._task[statement]] if statement in self._task else frozenset()
        says = said in known or said.rstrip(".") == statement
        return [float(says), float(not says)]

    async def write(self, turns: Turns, *, most_tokens: int) -> str:
        """Never asked."""
        raise AssertionError("a question of the method wants JSON")


def _every(of: Wordings) -> frozenset[str]:
    return frozenset((*of.known, *of.kept_back))
