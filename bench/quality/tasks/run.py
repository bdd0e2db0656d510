"""A run over aisle sequences: each described, its tasks timed by each method, and scored."""

import argparse
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from bench import parts
from bench.quality.methods import Methods
from bench.quality.minds import Mind
from bench.quality.tasks import descriptions, report
from bench.quality.tasks.descriptions import Eyes, Kind
from bench.quality.tasks.methods import Method, Original, Ours, Rule
from bench.quality.tasks.perfect import Perfect
from bench.quality.tasks.scores import Score, score
from bench.quality.tasks.sequences import Series, sequence
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine


async def run(
    options: argparse.Namespace,
    mind: Mind | None,
    first: int,
    write: Callable[[str, str], str],
    title: str,
) -> str:
    """Score the methods on the sequences of seeds from `first` on; what is told is `write`n."""
    rows: dict[report.Row, list[Score]] = {}
    told = ""
    title = f"{title}, descriptions: {options.descriptions.value}"
    held_out = options.split == "held-out"
    async with AsyncExitStack() as stack:
        eyes = None
        if options.descriptions is Kind.ENGINE:
            engine = await stack.enter_async_context(_vision(options.vision_engine))
            seen = options.cache and options.cache.with_name(f"{options.cache.name}.seen")
            eyes = Eyes(engine, (await engine.model()).name, seen)
        for level in options.levels:
            for place in range(options.sequences):
                series = sequence(first + place, level)
                texts = await _texts(series, options.descriptions, eyes, held_out=held_out)
                for method in METHODS.asked_for(options, mind, place):
                    scored = score(series, await method.find(series, texts))
                    rows.setdefault((level, method.name), []).append(scored)
            told = write(report.table(rows), report.drawn(rows, title))
    return told


METHODS: Final = Methods[Method](
    ours=Ours,
    ours_again=lambda mind: Ours(mind, "ours, on the same"),
    original=Original,
    rule=Rule,
    ceiling=lambda: Ours(Perfect(), "ours, were the judge perfect"),
)
"""A describer of its own words is beyond the ceiling, which knows ours."""


async def _texts(
    series: Series, kind: Kind, eyes: Eyes | None, *, held_out: bool
) -> Mapping[str, str]:
    if eyes is not None:
        return await eyes.describe(series)
    return descriptions.told(series, kind, held_out=held_out)


@asynccontextmanager
async def _vision(url: str | None) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        if url is None:
            url = f"http://{(await stack.enter_async_context(parts.llama())).at}/v1"
        yield await stack.enter_async_context(OpenAIEngine(url))
