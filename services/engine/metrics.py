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
    """The series that tell; of each, the first that the engine's version has."""

    running: tuple[str, ...]
    waiting: tuple[str, ...]
    cache_usage: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    """Prompt tokens that came from the cache, so far."""
    asked: tuple[str, ...] = ()
    """Prompt tokens that the cache was asked for, so far."""
    computed: tuple[str, ...] = ()
    """Prompt tokens that came from no cache, where not those asked for are told but these."""


TOLD_BY: Final[Mapping[EngineKind, _Names]] = {
    EngineKind.VLLM: _Names(
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        cache_usage=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        read=("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
        asked=("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    ),
    EngineKind.LLAMA_CPP: _Names(
        running=("llamacpp:requests_processing",),
        waiting=("llamacpp:requests_deferred",),
        cache_usage=("llamacpp:kv_cache_usage_ratio",),
        read=("llamacpp:prompt_tokens_cached_total",),
        computed=("llamacpp:prompt_tokens_total",),
    ),
}
"""The engines that expose metrics, and how they call them."""


def read(kind: EngineKind, body: bytes | None) -> Load:
    """Read how busy an engine of this kind is; one that answers nothing tells nothing."""
    names = TOLD_BY[kind]
    series = _series(body or b"")
    asked = _sum(series, names.asked)
    cached = _sum(series, names.read)
    if asked is None and cached is not None and (computed := _sum(series, names.computed)):
        asked = cached + computed
    usage = [value for name in names.cache_usage for value in series.get(name, ())][:1_024]
    return Load(
        running=_count(_sum(series, names.running)),
        waiting=_count(_sum(series, names.waiting)),
        cache_usage=_share(sum(usage), len(usage)),
        prefix_hits=_share(cached, asked),
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
    name for names in TOLD_BY.values() for series in vars(names).values() for name in series
)


def _sum(series: Mapping[str, Iterable[float]], names: tuple[str, ...]) -> float | None:
    """Over the engine's replicas of the first name that it has."""
    return next((sum(series[name]) for name in names if name in series), None)


def _count(value: float | None) -> int | None:
    return None if value is None else min(round(value), _MOST)


def _share(part: float | None, whole: float | None) -> float | None:
    return min(part / whole, 1.0) if part is not None and whole else None
