"""From the risks in each picture to the risks of a series: which is the same, where it goes on, how
bad it is at its worst, and which pictures it rests on.
"""

from collections.abc import Sequence
from typing import Final

from services.jobs.content import FoundRisk, Observation, Risk, Severity
from services.jobs.pipelines.stretches import Stretch, spans

_ORDER: Final = tuple(Severity)
_MOST_TOLD: Final = 10


def merged(shown: Sequence[Sequence[Risk]], seen: Sequence[Observation]) -> tuple[FoundRisk, ...]:
    """Merge the risks that each picture shows, the worst first, then the earliest.

    Risks are the same when they are described alike. One that is gone in a single picture was
    overlooked there; one that comes back later is told again.
    """
    alike: dict[str, dict[int, Risk]] = {}
    for index, risks in enumerate(shown):
        for risk in risks:
            of_picture = alike.setdefault(_likeness(risk), {})
            of_picture[index] = max(of_picture.get(index, risk), risk, key=_badness)
    found = [
        (stretch, of_picture)
        for of_picture in alike.values()
        for stretch in spans([index in of_picture for index in range(len(shown))])
    ]
    found.sort(key=lambda it: (-max(map(_badness, _within(*it))), it[0].start))
    return tuple(_found(stretch, of_picture, seen) for stretch, of_picture in found)


def summary(found: Sequence[FoundRisk], count: int) -> str:
    """Say in a few words what was found in so many pictures."""
    looked = f"{count} picture{'' if count == 1 else 's'}"
    if not found:
        return f"No risk was seen in {looked}."
    told = [_told(it) for it in found[:_MOST_TOLD]]
    if len(found) > _MOST_TOLD:
        told.append(f"and {len(found) - _MOST_TOLD} more")
    noun = "risk was" if len(found) == 1 else "risks were"
    return f"{len(found)} {noun} seen in {looked}: {'; '.join(told)}."


def _told(found: FoundRisk) -> str:
    first, last = found.evidence_image_ids[0], found.evidence_image_ids[-1]
    where = f"picture {first}" if first == last else f"pictures {first} to {last}"
    return f"{found.risk.description.rstrip('.')} ({found.risk.severity}; {where})"


def _found(stretch: Stretch, of_picture: dict[int, Risk], seen: Sequence[Observation]) -> FoundRisk:
    worst = max(_within(stretch, of_picture), key=_badness)
    evidence = [seen[it] for it in range(stretch.start, stretch.end + 1) if it in of_picture]
    return FoundRisk(
        worst,
        tuple(it.image_id for it in evidence),
        evidence[0].capture_time,
        evidence[-1].capture_time,
    )


def _within(stretch: Stretch, of_picture: dict[int, Risk]) -> list[Risk]:
    return [risk for it, risk in of_picture.items() if stretch.start <= it <= stretch.end]


def _likeness(risk: Risk) -> str:
    return " ".join(risk.description.casefold().split()).rstrip(".")


def _badness(risk: Risk) -> int:
    return _ORDER.index(risk.severity)
