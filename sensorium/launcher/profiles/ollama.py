"""The profile `ollama`: both rooms ask an Ollama that runs already. VLM_MODEL and LLM_MODEL they
know themselves.
"""

import os

from sensorium.launcher.profiles.profile import Profile
from services.chassis import names


def profile() -> Profile:
    """Start no engine, and tell the rooms where the Ollama is."""
    told = {"OLLAMA_HOST": os.environ.get("OLLAMA_HOST") or "http://127.0.0.1:11434"}
    return Profile(told={names.VISION: told, names.REASONING: told})
