"""The profile `gpu`: vLLM as child processes, on the accelerators of this machine.

It decides what each server gets of them. Whether a model fits is found out by vLLM alone.
"""

import shlex
from pathlib import Path
from typing import Final

from sensorium.errors import Trouble
from sensorium.launcher.engine import Engine, Rooms
from sensorium.launcher.profiles import vllm
from sensorium.launcher.profiles.profile import Profile, rooms_here, setting
from services.chassis import names

MODELS: Final = {
    names.VISION: "Qwen/Qwen2.5-VL-7B-Instruct",
    names.REASONING: "Qwen/Qwen2.5-7B-Instruct",
}
"""What `VISION_MODEL` and `REASONING_MODEL` are where they are not set."""
SHARE: Final = 0.9
"""Of an accelerator's memory, for all engines on it. The rest is the speech model's."""
READY_SECONDS: Final = 3_600.0
"""It may have to fetch tens of gigabytes first. That it goes on is told meanwhile."""


def profile() -> Profile:
    """Serve a model that sees and one that writes, or one that does both if both names say so."""
    here = rooms_here()
    if not here:
        return Profile()
    models = {room: _model(room) for room in here}
    python = vllm.python()
    if len(set(models.values())) == 1:
        return Profile((_engine(python, here, models[here[0]], SHARE),))
    if _cards(names.VISION).isdisjoint(_cards(names.REASONING)):
        return Profile(tuple(_engine(python, (room,), models[room], SHARE) for room in here))
    first = _engine(python, here[:1], models[here[0]], SHARE / 2)
    # Each measures what the other leaves it, and measures wrong while that one still takes.
    second = _engine(python, here[1:], models[here[1]], SHARE / 2, needs=(first.name,))
    return Profile((first, second))


def _cards(room: str) -> set[str]:
    # Where none is named, vLLM takes the first.
    return set((setting(room, "DEVICES") or "0").replace(" ", "").split(","))


def _model(room: str) -> str:
    said = setting(room, "MODEL") or MODELS[room]
    folder = Path(said).expanduser()
    # A name at a hub has one slash, and no dot or tilde before it.
    if not folder.is_dir() and not said.startswith(("/", ".", "~")):
        return said
    if not (folder / "config.json").is_file():
        raise Trouble(
            f"{room.upper()}_MODEL: {folder} holds no model: it has no config.json. Name a folder "
            f"in Hugging Face's format, or a model at a hub, such as {MODELS[room]}"
        )
    return str(folder.absolute())


def _engine(
    python: str, rooms: Rooms, model: str, share: float, needs: tuple[str, ...] = ()
) -> Engine:
    room = rooms[0].upper()
    name = Path(model).name if model.startswith("/") else model
    devices = setting(rooms[0], "DEVICES")
    try:
        asked = shlex.split(setting(rooms[0], "VLLM_ARGS"))
    except ValueError as failed:
        raise Trouble(f"{room}_VLLM_ARGS cannot be read: {failed}") from None
    return Engine(
        rooms,
        name,
        # Of an option that is named twice, the last counts.
        (*vllm.command(python, model, name, share), *asked),
        environment=vllm.ENVIRONMENT | ({"CUDA_VISIBLE_DEVICES": devices} if devices else {}),
        needs=needs,
        ready_seconds=READY_SECONDS,
        has_log=True,
        hint=f"If {name} does not fit into {share:.0%} of the card, name a smaller or quantised "
        "one;\n  or one that sees in both VISION_MODEL and REASONING_MODEL: one server for both;\n"
        "  or a card for each, with VISION_DEVICES=0 and REASONING_DEVICES=1.\n"
        f"  If it cannot be fetched, let {room}_MODEL name a folder.\n"
        f"  {room}_VLLM_ARGS takes any option of vLLM.",
    )
