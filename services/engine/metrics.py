"""How busy an engine is, by the metrics it exposes in Prometheus' text format. No I/O happens here,
and nothing is believed: what is not a number as it should be is not told.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from services.engine.machine import EngineKind, Load

_MOST: Final = 2**31 - 1


@dataclass(frozen=True)
class _Names:
    """The series that tell; the cache has another name in older versions."""

    running: str
    waiting: str
    cache_usage: tuple[str, ...]


TOLD_BY: Final[Mapping[EngineKind, _Names]] = {
    EngineKind.VLLM: _Names(
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
        cache_usage=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    ),
    EngineKind.LLAMA_CPP: _Names(
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        cache_usage=("llamacpp:kv_cache_usage_ratio",),
    ),
}
"""The engines that expose metrics, and how they call them."""


def read(kind: EngineKind, body: bytes | None) -> Load:
    """Read how busy an engine of this kind is; one that answers nothing tells nothing."""
    names = TOLD_BY[kind]
    series = _series(body or b"")
    usage = [value for name in names.cache_usage for value in series.get(name, ())][:1_024]
    return Load(
        running=_count(series, names.running),
        waiting=_count(series, names.waiting),
        cache_usage=min(sum(usage) / len(usage), 1.0) if usage else None,
    )


def _series(body: bytes) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    # Histograms are nine tenths of what vLLM tells, and no part of what is asked here.
    lines = [it for it in body.decode(errors="replace").splitlines() if it.startswith(_PREFIXES)]
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                if math.isfinite(sample.value) and sample.value >= 0:
                    found.setdefault(sample.name, []).append(sample.value)
    except ValueError:
        return {}
    return found


_PREFIXES: Final = tuple(
    name for it in TOLD_BY.values() for name in (it.running, it.waiting, *it.cache_usage)
)


def _count(series: Mapping[str, Iterable[float]], name: str) -> int | None:
    """Over the engine's replicas."""
    return min(round(sum(series[name])), _MOST) if name in series else None
