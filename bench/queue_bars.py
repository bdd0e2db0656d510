"""What the figures of `bench.queue` are held against."""

from collections.abc import Mapping
from typing import Final

from bench.bars import Bars

DRAINED: Final = "drained per second"
NOTICES: Final = "notices per job"
P50: Final = "pickup p50, ms"
P99: Final = "pickup p99, ms"
SHARE: Final = "share of pgbench"

_TIMES: Final = {"pgqueuer": 1, "procrastinate": 10}
"""How many times as fast as each peer the queue is to be."""
_FULL: Final = 1.2
"""How much worse it may be with full tables."""

Figures = Mapping[str, Mapping[str, float]]
"""By system and by what is measured."""


def judge(told: Figures, *, ours: str, full: str) -> int:
    """Tell which bars hold. Returns the status to end with."""
    if ours not in told:
        return 0
    bars, mine = Bars(), told[ours]
    print(P50, bars.at_most(P50, mine[P50], 4))
    print(P99, bars.at_most(P99, mine[P99], 15))
    print(NOTICES, bars.at_most(NOTICES, mine[NOTICES], 0.1))
    for peer, times in _TIMES.items():
        if peer in told:
            name = f"{DRAINED}, times {peer}"
            print(name, bars.at_least(name, mine[DRAINED] / told[peer][DRAINED], times))
    if full in told:
        for row, worse in (
            (DRAINED, mine[DRAINED] / told[full][DRAINED]),
            (P50, told[full][P50] / mine[P50]),
            (P99, told[full][P99] / mine[P99]),
        ):
            name = f"{row}, full tables, times worse"
            print(name, bars.at_most(name, worse, _FULL))
    return bars.close()
