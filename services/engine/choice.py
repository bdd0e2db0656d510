"""Which adapter a room asks its engine by. The one place that knows them all."""

from contextlib import AbstractAsyncContextManager
from typing import Final, assert_never

from services.engine.config import EngineConfig, EngineProtocol
from services.engine.ollama import OllamaEngine
from services.engine.openai import OpenAIEngine
from services.engine.ports import Engine

_ABOUT_ITSELF: Final = 4
"""Connections for questions about the engine itself, which do not wait for those at work."""


def engine_from_config(config: EngineConfig) -> AbstractAsyncContextManager[Engine]:
    """Make the engine's adapter; it connects when it is entered."""
    key = config.engine_api_key.get_secret_value()
    connections = config.engine_calls + _ABOUT_ITSELF
    match config.engine:
        case EngineProtocol.OPENAI:
            return OpenAIEngine(
                config.engine_url, model=config.model, api_key=key, connections=connections
            )
        case EngineProtocol.OLLAMA:
            return OllamaEngine(
                config.engine_url,
                model=config.model,
                api_key=key,
                pull=config.engine_pull,
                connections=connections,
            )
        case never:
            assert_never(never)
