"""What the bridge is told."""

from typing import Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from gateway.bridge.dialects import vila
from services.chassis import limits
from services.chassis.config import Config

SOCKET_BYTES: Final = 512 * limits.MEBIBYTE


class BridgeConfig(Config):
    """Where the bridge serves, and whom it asks."""

    model_config = SettingsConfigDict(env_prefix="BRIDGE_")

    listen: str = Field(pattern=r"^[^:\s]+:\d{1,5}$")
    """The address to serve HTTP on, as host:port. Port 0 takes a free one. Only the edge may reach
    it: it believes the tenant that the edge names.
    """
    jobs_target: str = Field(pattern=r"^[^:\s]+:\d{1,5}$")
    """Where the jobs room serves gRPC, as host:port."""
    vision_target: str = Field(pattern=r"^[^:\s]+:\d{1,5}$")
    """Where the vision room serves gRPC, as host:port."""
    reasoning_target: str = Field(pattern=r"^[^:\s]+:\d{1,5}$")
    """Where the reasoning room serves gRPC, as host:port."""
    audio_target: str = Field(pattern=r"^[^:\s]+:\d{1,5}$")
    """Where the audio room serves gRPC, as host:port."""
    drain_seconds: float = Field(default=10.0, ge=0, le=600)
    """How long requests in flight may finish after SIGTERM before they are cut. Zero cuts at once.
    """
    socket_bytes: int = Field(default=SOCKET_BYTES, ge=limits.MEBIBYTE)
    """The most bytes of pictures and audio that all sockets hold: half of it in equal parts, half
    for whoever needs more. A socket that finds no room for its newest picture is closed with 1013;
    one that finds none for its audio has to wait.
    """
    type_limits: dict[str, int] = Field(default={}, validation_alias="WORKER_TYPE_LIMITS")
    """How many jobs of a type the workers work on at most: their own variable, which clients of the
    caption queue are told of.
    """
    image_batch: int = Field(
        default=5, ge=1, le=limits.IMAGES_PER_REQUEST, validation_alias="IMAGE_BATCH_SIZE"
    )
    """How many pictures on vlm-node's socket are answered together: that system's own variable."""
    vila_prompt: str = Field(
        default=vila.PROMPT, min_length=1, max_length=8192, validation_alias="VILA_PROMPT"
    )
    """What is asked of the frames on VILA's socket."""
