"""Measure the aisle model through any OpenAI-compatible address, on scenes it was not trained on.

Run `python -m models.aisle.evaluate --url http://127.0.0.1:8080 --model aisle`. An answer counts
only when it is right to the last letter: with several images, each caption, in order.
"""

import argparse
import base64
import io
import json
import random
import statistics
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from models.aisle import wording, world


@dataclass(frozen=True)
class Settings:
    """Where to ask, what, and how much of it."""

    url: str
    model: str
    singles: int
    """Prompts with one image."""
    several: int
    """Prompts with each of two, three, four and five images."""
    seed: int
    scale: int
    """How many times the native size the pictures are drawn."""
    quality: int
    """JPEG quality; zero sends PNG."""
    question: str | None
    """The question of every prompt, or None for a random one each time."""
    concurrency: int
    show: int
    """How many wrong answers to print."""


@dataclass(frozen=True)
class Result:
    """One answer beside what it should have been."""

    expected: str
    answered: str
    seconds: float


def ask(settings: Settings, index: int, image_count: int) -> Result:
    """Draw the images of one prompt and ask for their description."""
    rng = random.Random(f"evaluate {settings.seed} {image_count} {index}")
    scenes = [world.random_scene(rng) for _ in range(image_count)]
    content: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": _data_url(settings, scene, rng)}}
        for scene in scenes
    ]
    question = settings.question or wording.random_question(rng) or "Describe."
    content.append({"type": "text", "text": question})
    messages: list[dict[str, object]] = [{"role": "user", "content": content}]
    system = None if settings.question else wording.random_system_prompt(rng)
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body = {"model": settings.model, "messages": messages, "temperature": 0, "max_tokens": 256}
    request = urllib.request.Request(
        f"{settings.url.rstrip('/')}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=120) as response:
        answered = json.load(response)["choices"][0]["message"]["content"]
    seconds = time.perf_counter() - began
    return Result(wording.answer([scene.caption for scene in scenes]), answered, seconds)


def _data_url(settings: Settings, scene: world.Scene, rng: random.Random) -> str:
    file = io.BytesIO()
    picture = world.draw(scene, rng, scale=settings.scale)
    if settings.quality:
        picture.save(file, "JPEG", quality=settings.quality)
    else:
        picture.save(file, "PNG")
    kind = "jpeg" if settings.quality else "png"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def report(settings: Settings, name: str, results: Sequence[Result]) -> None:
    """Print one line of figures, and the first wrong answers."""
    right = sum(result.answered == result.expected for result in results)
    median = statistics.median(result.seconds for result in results)
    share = right / len(results)
    print(
        f"{name}: {right} of {len(results)} exact ({share:.1%}), median {median:.3f} s", flush=True
    )
    wrong = [result for result in results if result.answered != result.expected]
    for result in wrong[: settings.show]:
        print(f"  expected {result.expected!r}\n  answered {result.answered!r}")


def main() -> None:
    """Read the command line, ask, and print what came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="aisle")
    parser.add_argument("--singles", type=int, default=1000)
    parser.add_argument("--several", type=int, default=50)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--quality", type=int, default=85)
    parser.add_argument("--question")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--show", type=int, default=0)
    settings = Settings(**vars(parser.parse_args()))
    with ThreadPoolExecutor(settings.concurrency) as pool:

        def run(image_count: int, prompts: int) -> list[Result]:
            return list(pool.map(lambda n: ask(settings, n, image_count), range(prompts)))

        if settings.singles:
            report(settings, "one image", run(1, settings.singles))
        if settings.several:
            together = []
            for image_count in (2, 3, 4, 5):
                results = run(image_count, settings.several)
                report(settings, f"{image_count} images", results)
                together += results
            report(settings, "two to five images", together)


if __name__ == "__main__":
    main()
