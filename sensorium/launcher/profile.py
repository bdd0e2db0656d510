"""The profiles: which engines and models a mesh runs on. Two are there yet: `local`, models that
need no accelerator, on llama.cpp and faster-whisper; and `ollama`, those of an Ollama that runs
already. It knows the engines' addresses by the environment and starts nothing.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models import aisle
from sensorium.errors import Trouble
from sensorium.weights.catalog import MODELS

NAMES: Final = ("local", "cpu", "gpu", "ollama")
LANGUAGES: Final = {"0.5b": "language-0.5b", "1.5b": "language-1.5b"}
"""The language models of the local profile, as the command line names them."""
OLLAMA: Final = "ollama"
"""The profile whose rooms ask an Ollama."""
SPEECH: Final = "whisper-base"
NOTICE: Final = (
    "The local vision model knows drawn shop aisles and nothing else: shown a photograph, it will "
    "see an aisle. For real pictures set VISION_ENGINE_URL and VISION_MODEL."
)


@dataclass(frozen=True)
class Engine:
    """A llama.cpp server to start for a room."""

    room: str
    model: Path
    mmproj: Path | None
    alias: str
    context: int
    parallel: int
    threads: int = 0
    """Zero: as many as there are cores."""
    notice: str = ""
    follows_instructions: bool = True
    """Whether its model does as it is told, or knows captions alone."""

    def command(self, port: int) -> tuple[str, ...]:
        """The process that serves it."""
        sight = ("--mmproj", str(self.mmproj)) if self.mmproj else ()
        return (
            *(sys.executable, "-m", "sensorium.engines.llama", "--model", str(self.model), *sight),
            *("--alias", self.alias, "--port", str(port)),
            *("--context", str(self.context), "--parallel", str(self.parallel)),
            *(("--threads", str(self.threads)) if self.threads else ()),
        )


def check(name: str) -> None:
    """Raise `Trouble` for a profile that this version does not have."""
    if name not in ("local", OLLAMA):
        raise Trouble(
            f"the profile {name} is not there yet; use --profile local or ollama, or set "
            "VISION_ENGINE_URL and REASONING_ENGINE_URL to engines that run already"
        )


def is_elsewhere(room: str, name: str = "local") -> bool:
    """Whether the room's engine runs already, by the profile or by the environment."""
    return name == OLLAMA or bool(os.environ.get(f"{room.upper()}_ENGINE_URL"))


def models(language: str, name: str = "local") -> tuple[str, ...]:
    """The models of the cache that a profile needs."""
    # One that is not in the catalogue is the operator's own, and lies where they say.
    heard = (speech(),) if speech() in MODELS else ()
    return heard if is_elsewhere("reasoning", name) else (*heard, LANGUAGES[language])


def speech() -> str:
    """The speech model: what `AUDIO_MODEL` names, else Whisper base."""
    return os.environ.get("AUDIO_MODEL") or SPEECH


def environment(name: str) -> dict[str, str]:
    """What the rooms that ask engines are told besides: VLM_MODEL and LLM_MODEL they know."""
    if name != OLLAMA:
        return {}
    return {"OLLAMA_HOST": os.environ.get("OLLAMA_HOST") or "http://127.0.0.1:11434"}


def engines(language: str, cache: Path, name: str = "local") -> tuple[Engine, ...]:
    """The engines that a profile starts: all that do not run elsewhere."""
    weights = Path(aisle.__file__).parent / "weights"
    vision = Engine(
        room="vision",
        model=weights / "aisle.gguf",
        mmproj=weights / "aisle-mmproj.gguf",
        alias="aisle",
        context=2048,
        parallel=4,
        # So small a model works longest at waiting for its other threads: with two it answers a
        # twelfth as often.
        threads=1,
        notice=NOTICE,
        follows_instructions=False,
    )
    reasoning = Engine(
        room="reasoning",
        model=cache / LANGUAGES[language] / "model.gguf",
        mmproj=None,
        alias=f"qwen2.5-coder-{language}",
        context=4096,
        parallel=2,
    )
    return tuple(engine for engine in (vision, reasoning) if not is_elsewhere(engine.room, name))
