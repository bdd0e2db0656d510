"""The profile `cpu`: llama.cpp on GGUF files of the operator's own. It fetches nothing; it says
what to fetch and how.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from sensorium.errors import Trouble
from sensorium.launcher.engine import Engine, Rooms
from sensorium.launcher.profiles import gguf, llama
from sensorium.launcher.profiles.profile import Profile, rooms_here, setting
from services.chassis import names

CONTEXT: Final = 8192
"""The tokens of a conversation, unless `VISION_CONTEXT` or `REASONING_CONTEXT` say otherwise: a
dozen pictures, or half an hour of talk.
"""
READY_SECONDS: Final = 600.0
"""A file of many gigabytes may lie on a slow disk."""
FETCH: Final = {
    "VISION_GGUF": "hf download ggml-org/Qwen2.5-VL-3B-Instruct-GGUF --local-dir . "
    "Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf mmproj-Qwen2.5-VL-3B-Instruct-f16.gguf",
    "REASONING_GGUF": "hf download Qwen/Qwen2.5-7B-Instruct-GGUF --local-dir . "
    "--include 'qwen2.5-7b-instruct-q4_k_m-*.gguf'",
}
"""How somebody who reaches a hub gets files that serve, where they have none."""


def profile() -> Profile:
    """Run a model that sees, and one that writes; where only one is given, it does both."""
    here = rooms_here()
    if names.VISION not in here:
        return Profile(tuple(_language() for _ in here))
    if names.REASONING not in here or setting(names.REASONING, "GGUF"):
        return Profile((_vision((names.VISION,)), *(_language() for _ in here[1:])))
    return Profile((_vision(here),))


def _vision(rooms: Rooms) -> Engine:
    model = _file("VISION_GGUF", "a model that sees")
    mmproj = _file("VISION_MMPROJ", f"the eyes of {model.name}", of_eyes=True)
    return _engine(rooms, model, mmproj)


def _language() -> Engine:
    return _engine((names.REASONING,), _file("REASONING_GGUF", "a language model"))


def _file(variable: str, what: str, *, of_eyes: bool = False) -> Path:
    said = os.environ.get(variable)
    needed = f"the GGUF file of {what}: {_where(variable)}"
    if not said:
        raise Trouble(f"the profile cpu needs {variable}, {needed}")
    path = Path(said).expanduser().absolute()
    try:
        found = gguf.architecture(path)
    except OSError as failed:
        raise Trouble(f"{variable}: {path} cannot be read: {failed.strerror}") from None
    if found is None:
        raise Trouble(f"{variable}: {path} is not a GGUF file. It should be {needed}")
    if found and (found == gguf.EYES) is not of_eyes:
        held = "a model, not its eyes" if of_eyes else "the eyes of a model, not the model"
        raise Trouble(f"{variable}: {path} holds {held}. It should be {needed}")
    return path


def _where(variable: str) -> str:
    if variable not in FETCH:
        return "the file with mmproj in its name that lies where the model was fetched from"
    engine = f"{variable.partition('_')[0]}_ENGINE_URL"
    return (
        "any of yours, or what this fetches, after `pip install huggingface_hub`:\n"
        f"  {FETCH[variable]}\n"
        f"Or set {engine} to an engine that runs already"
    )


def _engine(rooms: Rooms, model: Path, mmproj: Path | None = None) -> Engine:
    variable = f"{rooms[0].upper()}_CONTEXT"
    context = os.environ.get(variable) or str(CONTEXT)
    if not context.isdecimal() or not int(context):
        raise Trouble(f"{variable}: {context} is not a number of tokens, such as {CONTEXT}")
    # Of a model in several files the first is named.
    name = re.sub(r"-\d{5}-of-\d{5}$", "", model.stem)
    return replace(
        llama.engine(rooms, model, mmproj=mmproj, name=name, context=int(context)),
        ready_seconds=READY_SECONDS,
        hint=f"It needs as much memory as {model.name} is big, and more for its {context} tokens "
        f"of context: take a smaller file, or set {variable} lower.",
    )
