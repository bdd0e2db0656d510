"""What the vision room is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.engine.config import EngineConfig
from services.engine.ollama_names import OllamaModel


class VisionConfig(EngineConfig):
    """The variables that begin with `VISION_`."""

    model_config = SettingsConfigDict(env_prefix="VISION_")
    ollama_model = OllamaModel("VLM_MODEL", "llava:7b")

    image_pixels: int = Field(default=1280 * 28 * 28, ge=28 * 28)
    """The most pixels of a picture that the model is shown; larger ones are made smaller first.

    The default is 1,280 image tokens of Qwen2.5-VL, about a megapixel.
    """
