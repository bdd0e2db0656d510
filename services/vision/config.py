"""What the vision room is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.limits import MEBIBYTE
from services.engine.config import EngineConfig
from services.engine.ollama_names import OllamaModel
from services.media.config import MediaConfig


class VisionConfig(EngineConfig, MediaConfig):
    """The variables that begin with `VISION_`."""

    model_config = SettingsConfigDict(env_prefix="VISION_")
    ollama_model = OllamaModel("VLM_MODEL", "llava:7b")

    image_pixels: int = Field(default=1280 * 28 * 28, ge=28 * 28)
    """The most pixels of a picture that the model is shown; larger ones are made smaller first.

    The default is 1,280 image tokens of Qwen2.5-VL, about a megapixel.
    """
    frame_pixels: int = Field(default=400 * 28 * 28, ge=28 * 28)
    """The most pixels of a video's frame that the model is shown, of which there are many.

    The default leaves frames of 640 by 480 as they are.
    """
    video_frames: int = Field(default=32, ge=1, le=512)
    """The most frames of a video that the model is shown."""
    video_frames_per_second: float = Field(default=1.0, gt=0, le=30)
    """How many frames of each second are looked at, where the caller names no number."""
    follows_instructions: bool = True
    """Whether the model does as it is told. One that knows captions alone does not: it is asked
    plainly, and gives no structured fields.
    """
    jobs_target: str = ""
    """The address of the jobs room, which keeps uploads. Empty: no reference to one is known."""
    streams: int = Field(default=256, ge=1, le=1_000)
    """The most streams of frames at once; further ones are refused at their start."""
    stream_bytes: int = Field(default=512 * MEBIBYTE, ge=MEBIBYTE)
    """The most bytes of frames that all streams keep, beside those that are being answered: half of
    it in equal parts, half for whoever needs more. A frame that finds no room is dropped, and its
    watcher told.
    """
    change_threshold: float = Field(default=0.06, ge=0, le=1)
    """How much of the full scale the most changed part of a frame must differ from the frame that
    was answered last, to be worth another answer, where the watcher says nothing. Zero: each is.
    """
    release_at: float = Field(default=0.85, ge=0, le=1)
    """The share of memory or cache in use at which the engine is asked to drop what it can do
    without. Zero: never by itself.
    """

    @property
    def live_waiting(self) -> int:
        """The most calls of streams that wait: each stream has one at most, and none is sent away,
        because others would take its place for ever.
        """
        return max(self.engine_waiting, self.streams)
