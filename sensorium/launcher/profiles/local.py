"""The profile `local`: small models from the package registry, for which no accelerator, no hub and
no choice is needed.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from models import aisle
from sensorium.launcher.profiles import llama
from sensorium.launcher.profiles.profile import Profile, rooms_here
from sensorium.weights import store
from services.chassis import names

LANGUAGES: Final = {"0.5b": "language-0.5b", "1.5b": "language-1.5b"}
"""Its language models, as the command line names them."""
NOTICE: Final = (
    "The local vision model knows drawn shop aisles and nothing else: shown a photograph, it will "
    "see an aisle. For real pictures take another profile (sensorium up --help), or set "
    "VISION_ENGINE_URL and VISION_MODEL."
)


def profile(language: str) -> Profile:
    """Run the aisle model and Qwen2.5-Coder of a size."""
    weights, here = Path(aisle.__file__).parent / "weights", rooms_here()
    vision = replace(
        llama.engine(
            (names.VISION,),
            weights / "aisle.gguf",
            mmproj=weights / "aisle-mmproj.gguf",
            name="aisle",
            context=2048,
            parallel=4,
        ),
        notice=NOTICE,
        follows_instructions=False,
    )
    reasoning = llama.engine(
        (names.REASONING,),
        store.cache() / LANGUAGES[language] / "model.gguf",
        name=f"qwen2.5-coder-{language}",
        context=4096,
    )
    return Profile(
        engines=tuple(it for it in (vision, reasoning) if it.rooms[0] in here),
        models=(LANGUAGES[language],) if names.REASONING in here else (),
    )
