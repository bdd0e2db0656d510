"""What a room that asks an engine is told about it. The room's prefix comes before each name."""

from pydantic import Field, SecretStr

from services.chassis.config import RoomConfig


class EngineConfig(RoomConfig):
    """The engine of a room, and how much is asked of it."""

    engine_url: str = Field(pattern=r"^https?://\S+$")
    """The base of its OpenAI-compatible API, such as http://127.0.0.1:8000/v1."""
    engine_api_key: SecretStr = SecretStr("")
    """What the engine wants as bearer token. Empty: nothing."""
    model: str = ""
    """The model to ask for, as the engine names it. Empty: the first that it lists."""
    model_notice: str = ""
    """What users of the model must know of its limits. Empty: nothing particular."""
    max_tokens: int = Field(default=512, ge=1, le=32_768)
    """The most tokens of an answer for which the caller names no number."""
    engine_seconds: float = Field(default=115.0, gt=0, le=3_600)
    """The most seconds that one answer may take; a call's own deadline may come sooner."""
    engine_calls: int = Field(default=128, ge=1, le=1_024)
    """The most calls at the engine at once; how many there are follows what it gets done."""
    engine_waiting: int = Field(default=64, ge=0, le=1_024)
    """The most calls of each priority that wait for their turn; further ones are refused at once.
    """
