"""Score methods of timing tasks, and the models under them, on seeded sequences with their truth.

    python -m bench.quality --model 1.5b                         # the local profile
    python -m bench.quality --engine http://host:8000/v1         # any OpenAI-compatible engine
    python -m bench.quality --model none --methods ceiling rule  # without a language model
    python -m bench.quality --descriptions engine                # described by the aisle model

Prints a table, and writes it with a plot into `--out`. Model seconds are those of this machine.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import uvloop

from bench import parts
from bench.quality import descriptions, report
from bench.quality.descriptions import Kind
from bench.quality.methods import Method, Original, Ours, Rule
from bench.quality.minds import Mind, Perfect
from bench.quality.scores import Score, score
from bench.quality.sequences import Level, Series, sequence
from sensorium.launcher import profile
from sensorium.weights import store
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine

HELD_OUT: Final = 100_000
"""From here on seeds are held out; nothing was tuned on them."""
METHODS: Final = ("ours", "original", "rule", "ceiling")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="1.5b", choices=(*profile.LANGUAGES, "none"))
    parser.add_argument("--engine", help="the base of an engine's API, in place of --model")
    parser.add_argument("--name", default="", help="the model to ask the engine for")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--levels", nargs="+", default=list(Level), type=Level)
    parser.add_argument("--sequences", type=int, default=200, help="of each level")
    parser.add_argument("--original", type=int, default=0, help="of them for `original`; 0: all")
    parser.add_argument("--split", default="held-out", choices=("train", "held-out"))
    parser.add_argument("--seed", type=int, default=0, help="the first, counted within its split")
    parser.add_argument("--descriptions", default=Kind.NOISY, type=Kind, choices=list(Kind))
    parser.add_argument("--vision-engine", help="who describes; the aisle model where left out")
    parser.add_argument("--cache", type=Path, help="a file in which a model's answers are kept")
    parser.add_argument("--out", type=Path, default=Path("build/quality"))
    return parser.parse_args()


async def main() -> None:
    """Score every method on every sequence, and tell."""
    options = _options()
    held_out = options.split == "held-out"
    first = options.seed + (HELD_OUT if held_out else 0)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    async with AsyncExitStack() as stack:
        eyes = None
        if options.descriptions is Kind.ENGINE:
            eyes = await stack.enter_async_context(_eyes(options.vision_engine))
        mind, name = None, "no model"
        if options.engine or options.model != "none":
            engine = await stack.enter_async_context(_language(options))
            name = (await engine.model()).name
            mind = Mind(engine, name, options.cache)
        rows: dict[report.Row, list[Score]] = {}
        for level in options.levels:
            for place in range(options.sequences):
                series = sequence(first + place, level)
                texts = await _texts(series, options.descriptions, eyes, held_out=held_out)
                for method in _methods(options, mind, place):
                    scored = score(series, await method.find(series, texts))
                    rows.setdefault((level, method.name), []).append(scored)
            _write(rows, options, name)
    print(_write(rows, options, name))


def _methods(options: argparse.Namespace, mind: Mind | None, place: int) -> Sequence[Method]:
    methods: list[Method] = []
    if mind is not None and "ours" in options.methods:
        methods.append(Ours(mind))
    if mind is not None and "original" in options.methods:
        if not options.original:
            methods.append(Original(mind))
        elif place < options.original:
            methods += [Original(mind), Ours(mind, "ours, on the same")]
    if "rule" in options.methods:
        methods.append(Rule())
    # A describer of its own words is beyond the one who knows ours.
    if "ceiling" in options.methods:
        methods.append(Ours(Perfect(), "ours, were the judge perfect"))
    return methods


async def _texts(
    series: Series, kind: Kind, eyes: Engine | None, *, held_out: bool
) -> Mapping[str, str]:
    if eyes is not None:
        return await descriptions.seen(series, eyes)
    return descriptions.told(series, kind, held_out=held_out)


@asynccontextmanager
async def _eyes(url: str | None) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        if url is None:
            url = f"http://{(await stack.enter_async_context(parts.llama())).at}/v1"
        yield await stack.enter_async_context(OpenAIEngine(url))


@asynccontextmanager
async def _language(options: argparse.Namespace) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        url = options.engine
        if url is None:
            model = await asyncio.to_thread(store.ensure, profile.LANGUAGES[options.model])
            running = parts.language(model / "model.gguf", f"qwen2.5-coder-{options.model}")
            url = f"http://{(await stack.enter_async_context(running)).at}/v1"
        yield await stack.enter_async_context(OpenAIEngine(url, model=options.name))


def _write(
    rows: Mapping[report.Row, Sequence[Score]], options: argparse.Namespace, model: str
) -> str:
    title = (
        f"{model}, {options.split} seeds from {options.seed}, descriptions: "
        f"{options.descriptions.value}"
    )
    told = f"{title}\n\n{report.table(rows)}\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scores.md").write_text(told)
    (options.out / "scores.svg").write_text(report.plot(rows, title))
    return told


if __name__ == "__main__":
    uvloop.run(main())
