"""The profiles: which engines and models a mesh on this machine runs on, each a file. They read the
environment and look at what it names; they start nothing.
"""

from dataclasses import replace
from typing import Final

from sensorium.launcher.profiles import cpu, gpu, local, ollama
from sensorium.launcher.profiles.profile import Profile, speech
from sensorium.weights.catalog import MODELS
from services.chassis import names

NAMES: Final = ("local", "cpu", "gpu", "ollama")


def chosen(name: str, language: str) -> Profile:
    """Make the profile of a name. Raises `Trouble` for what it lacks on this machine."""
    match name:
        case "cpu":
            profile = cpu.profile()
        case "gpu":
            profile = gpu.profile()
        case "ollama":
            profile = ollama.profile()
        case _:
            profile = local.profile(language)
    heard = speech()
    # One that is not in the catalogue is the operator's own, and lies where they say.
    fetched = (heard,) if heard in MODELS else ()
    return replace(
        profile,
        models=(*fetched, *profile.models),
        told={**profile.told, names.AUDIO: {"AUDIO_MODEL": heard}},
    )
