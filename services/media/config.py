"""What a room that opens media by name is told of it. The room's prefix comes before each name."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, DirectoryPath, Field
from pydantic_settings import NoDecode

from services.chassis.config import Config
from services.media.guard import Guard


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(it.strip() for it in value.split(",") if it.strip())


def _known(value: tuple[str, ...]) -> tuple[str, ...]:
    Guard(value)
    return value


Allowed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_known)]
"""Hosts and networks as `Guard` takes them, apart by commas."""


class MediaConfig(Config):
    """Where media may come from."""

    fetch_allow: Allowed = ()
    """Hosts and networks that may be fetched from although they are not public, such as
    `media.example.com,.example.org,10.1.0.0/16`. Empty: the public internet alone.
    """
    fetch_seconds: float = Field(default=30.0, gt=0, le=600)
    """The most seconds that one fetch may take."""
    media_root: DirectoryPath | None = None
    """The folder whose files may be named by `file:///` and their absolute path. Empty: none."""
