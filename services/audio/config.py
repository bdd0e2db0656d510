"""What the audio room is told by its environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.config import RoomConfig
from services.media import audio


class AudioConfig(RoomConfig):
    """The variables that begin with `AUDIO_`."""

    model_config = SettingsConfigDict(env_prefix="AUDIO_")

    model: str = "whisper-base"
    """The speech model: a folder in faster-whisper's format, or the name of one in the cache."""
    models: Path = Field(
        default=Path("~/.cache/sensorium/models"), validation_alias="SENSORIUM_MODELS"
    )
    """The cache of models, in which `model` is looked up when it is a name."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs. Auto: on the accelerator if there is one."""
    compute_type: Literal[
        "int8", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
    ] = "int8"
    """The numbers that the model computes with."""
    threads: int = Field(default=0, ge=0, le=256)
    """Threads of one model pass. Zero: as many as there are cores."""
    recordings_at_once: int = Field(default=8, ge=1, le=256)
    """How many recordings share the model, piece by piece; more are refused for the moment."""
    decode_seconds: float = Field(default=audio.DECODE_SECONDS, gt=0)
    """How long decoding one recording may take."""

    @property
    def model_folder(self) -> Path:
        """The folder that holds the model."""
        path = Path(self.model).expanduser()
        return path if len(path.parts) > 1 else self.models.expanduser() / path
