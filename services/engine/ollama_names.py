"""The variables by which vlm-node names its Ollama, for those who come from there: OLLAMA_HOST,
with VLM_MODEL and LLM_MODEL. They count where a room's own variables name no engine.
"""

import os
from typing import Any, Final, NamedTuple

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

_PORT: Final = 11434


class OllamaModel(NamedTuple):
    """How vlm-node calls a room's model."""

    variable: str
    """What names it, such as VLM_MODEL."""
    default: str
    """Which it is where nothing names it."""


class OllamaNames(PydanticBaseSettingsSource):
    """Says what vlm-node's variables mean for a room, unless an engine has been named before."""

    def __init__(self, settings_cls: type[BaseSettings], model: OllamaModel) -> None:
        super().__init__(settings_cls)
        self._model = model

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing for a field by itself: they come together."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The engine that the variables name, by the names of a room's fields."""
        host = os.environ.get("OLLAMA_HOST")
        if not host or "engine_url" in self.current_state:
            return {}
        return {
            "engine": "ollama",
            "engine_url": _address(host),
            # vlm-node fetches its models when it starts.
            "engine_pull": True,
            "model": os.environ.get(self._model.variable) or self._model.default,
        }


def _address(host: str) -> str:
    """Complete an address as Ollama's own programs do."""
    if "://" in host:
        return host
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, str(_PORT)
    return f"http://{name or '127.0.0.1'}:{port}"
