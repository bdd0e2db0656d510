"""What a room that asks an engine is told about it. The room's prefix comes before each name."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from services.chassis.config import RoomConfig
from services.chassis.limits import ANSWER_TOKENS, MEBIBYTE
from services.engine.ollama_names import OllamaModel, OllamaNames


class EngineProtocol(StrEnum):
    """How an engine is asked."""

    OPENAI = "openai"
    """By OpenAI's API, which vLLM, llama.cpp, SGLang, Ollama and most others serve."""
    OLLAMA = "ollama"
    """By Ollama's native API, which does more for an Ollama."""


class EngineConfig(RoomConfig):
    """The engine of a room, and how much is asked of it."""

    ollama_model: ClassVar[OllamaModel | None] = None
    """How vlm-node calls the room's model, see `ollama_names`. None: it has no such room."""

    engine: EngineProtocol = EngineProtocol.OPENAI
    """How the engine is asked: openai or ollama."""
    engine_url: str = Field(pattern=r"^https?://\S+$")
    """The base of its API, such as http://127.0.0.1:8000/v1 or, for Ollama, http://127.0.0.1:11434.
    """
    engine_pull: bool = False
    """Whether an Ollama that does not have the model is told to fetch it."""
    engine_api_key: SecretStr = SecretStr("")
    """What the engine wants as bearer token. Empty: nothing."""
    model: str = ""
    """The model to ask for, as the engine names it. Empty: the first that it lists."""
    model_notice: str = ""
    """What users of the model must know of its limits. Empty: nothing particular."""
    max_tokens: int = Field(default=512, ge=1, le=ANSWER_TOKENS)
    """The most tokens of an answer for which the caller names no number."""
    engine_seconds: float = Field(default=115.0, gt=0, le=3_600)
    """The most seconds that one answer may take; a call's own deadline may come sooner."""
    engine_calls: int = Field(default=128, ge=1, le=1_024)
    """The most calls at the engine at once; how many there are follows what it gets done."""
    engine_waiting: int = Field(default=64, ge=0, le=1_024)
    """The most calls of each priority that wait for their turn; further ones are refused at once.
    """
    engine_waiting_bytes: int = Field(default=128 * MEBIBYTE, ge=0)
    """The most bytes that the calls of each priority hold while they wait, in the words and media
    that came with them; who would bring more is refused at once.
    """
    tenant_weights: dict[str, Annotated[int, Field(ge=1, le=100)]] = Field(default_factory=dict)
    """How many turns in a row a tenant gets where several wait, as JSON such as `{"acme": 3}`; one
    that is not named gets one.
    """

    @property
    def live_waiting(self) -> int:
        """The most live calls that wait."""
        return self.engine_waiting

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read vlm-node's names last: what the room's own say comes before them."""
        own = (init_settings, env_settings, dotenv_settings, file_secret_settings)
        if cls.ollama_model is None:
            return own
        return (*own, OllamaNames(settings_cls, cls.ollama_model))
