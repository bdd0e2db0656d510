"""How likely each of some answers is, by the tokens that a model may begin with. It asks nobody."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

LIKELIEST: Final = 20
"""The most tokens of which engines tell."""
FIELD: Final = "answer"
"""The property of the object in which an engine chooses that tells no likelihoods."""


def shares(
    beginnings: Iterable[tuple[str, float]], answers: Sequence[str]
) -> tuple[float, ...] | None:
    """Give each answer the probability of the tokens that begin it and no other, together 1.

    Capitals and blanks do not count. None where no token begins an answer.
    """
    plain = [it.casefold() for it in answers]
    sums = [0.0] * len(plain)
    for token, probability in beginnings:
        begun = token.strip().casefold()
        places = [index for index, it in enumerate(plain) if begun and it.startswith(begun)]
        if len(places) == 1:
            sums[places[0]] += probability
    whole = sum(sums)
    return tuple(it / whole for it in sums) if whole else None


def schema(answers: Sequence[str]) -> Mapping[str, Any]:
    """The JSON Schema of an object that holds one of the answers."""
    return {
        "type": "object",
        "properties": {FIELD: {"enum": list(answers)}},
        "required": [FIELD],
        "additionalProperties": False,
    }
