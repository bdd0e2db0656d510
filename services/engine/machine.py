"""What an engine is, what it can take and how busy it is: found out by its adapter, never guessed.

None says throughout that the engine does not tell, and that nothing has shown it yet.
"""

from dataclasses import dataclass
from enum import StrEnum


class EngineKind(StrEnum):
    """Which program serves the model."""

    OPENAI = "openai"
    """One that speaks OpenAI's protocol and says no more of itself."""
    VLLM = "vllm"
    """vLLM."""
    LLAMA_CPP = "llama.cpp"
    """llama.cpp's own server."""
    OLLAMA = "ollama"
    """Ollama, asked by its native API."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can take."""

    kind: EngineKind = EngineKind.OPENAI
    version: str = ""
    """As it names it. Empty: it does not say."""
    pictures: int | None = None
    """The most pictures in one request. Zero: its model does not see."""
    clips: int | None = 0
    """The most clips in one request that it takes whole. Zero: it is given their frames."""
    schema: bool | None = None
    """Whether it holds an answer to a JSON schema."""
    likelihoods: bool = False
    """Whether it tells how likely the tokens are that an answer may begin with."""
    parallel: int | None = None
    """How many requests it works on at once; further ones wait inside it."""


@dataclass(frozen=True)
class Load:
    """How busy an engine is at this moment."""

    running: int | None = None
    """Requests that it works on."""
    waiting: int | None = None
    """Requests that wait inside it."""
    cache_usage: float | None = None
    """The share of its key-value cache that is in use, from 0 to 1."""
    memory_bytes: int | None = None
    """What its model holds of memory, that of a device included."""
    device_memory_bytes: int | None = None
    """What its model holds of a device's memory."""


class Released(StrEnum):
    """What an engine can let go of, in words for people."""

    PREFIX_CACHE = "prefix cache"
    """What it keeps of past prompts."""
    MEDIA_CACHE = "media cache"
    """Pictures and clips as prepared for the model."""
    ENCODER_CACHE = "encoder cache"
    """Pictures and clips as the model has read them."""
    MODEL = "model"
    """The model itself; the next request loads it again."""
