"""The engine behind an OpenAI-compatible address, as the configuration of the room names it."""

from services.engine.openai import OpenAIEngine
from services.reasoning.config import ReasoningConfig


def engine_from_config(config: ReasoningConfig) -> OpenAIEngine:
    """Make the engine's adapter; it connects when it is entered."""
    return OpenAIEngine(
        config.engine_url,
        model=config.model,
        api_key=config.engine_api_key.get_secret_value(),
        connections=config.engine_calls + 1,
    )
