"""What the reasoning room is told by its environment."""

from pydantic_settings import SettingsConfigDict

from services.engine.config import EngineConfig
from services.engine.ollama_names import OllamaModel


class ReasoningConfig(EngineConfig):
    """The variables that begin with `REASONING_`."""

    model_config = SettingsConfigDict(env_prefix="REASONING_")
    ollama_model = OllamaModel("LLM_MODEL", "llama3:latest")
