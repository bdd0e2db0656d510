"""What a room that opens media by name is told of it. The room's prefix comes before each name."""

from typing import Annotated

from pydantic import DirectoryPath, Field, field_validator
from pydantic_settings import NoDecode

from services.chassis.config import Config
from services.media.guard import Guard


class MediaConfig(Config):
    """Where media may come from."""

    fetch_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts and networks that may be fetched from although they are not public, such as
    `media.example.com,.example.org,10.1.0.0/16`. Empty: the public internet alone.
    """
    fetch_seconds: float = Field(default=30.0, gt=0, le=600)
    """The most seconds that one fetch may take."""
    media_root: DirectoryPath | None = None
    """The folder whose files may be named by `file:///` and their absolute path. Empty: none."""

    @field_validator("fetch_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(it.strip() for it in value.split(",") if it.strip())

    @field_validator("fetch_allow")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Guard(value)
        return value
