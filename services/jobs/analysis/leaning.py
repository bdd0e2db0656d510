"""Which lean of a language model towards yes is one, by how likely it is to say so.

One model says yes to nearly all, another to nearly nothing, and both lean further where it is true:
so what they say is weighed against what they say of lines whose answer is known. It asks nobody.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Final

_LEAST: Final = 1e-6
"""A probability below which it makes no difference how small it is."""


def weights(
    told: Sequence[Sequence[float] | None], noes: int, known: int
) -> Sequence[float | None]:
    """Weigh the yeses of a model, each told as how likely yes and no are.

    The first `noes` are of lines to which the answer is no, the others of those that are `known` of
    lines to which it is yes; these are left out of what comes back. There 0 is as far towards yes
    as the former, and 1 as the latter; all is 0 where a model cannot tell these apart. None: not
    told.
    """
    leans = [None if it is None else _lean(*it) for it in told]
    controls = [it for it in leans[:known] if it is not None]
    if len(controls) < known:
        return [None] * (len(leans) - known)
    no, yes = fmean(controls[:noes]), fmean(controls[noes:])
    way = yes - no if yes > no else math.inf
    return [None if it is None else (it - no) / way for it in leans[known:]]


def _lean(yes: float, no: float) -> float:
    """How far it is from no to yes, in log odds."""
    return math.log(max(yes, _LEAST) / max(no, _LEAST))
