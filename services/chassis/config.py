"""Configuration from the environment, checked at the start, with secrets by file.

A room's configuration is a subclass of `RoomConfig` whose prefix is the room: `VISION_ENGINE_URL`
is the field `engine_url` of the vision room. A variable may instead be a file of the same name in
the folder that `SECRETS_DIR` names (default `/run/secrets`), so that a secret need not stand in an
environment.
"""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class ConfigError(Exception):
    """The environment does not make a configuration. The message names each variable and what it
    must be.
    """


class Config(BaseSettings):
    """Reads fields from the environment and the folder of secrets. Subclasses set `env_prefix`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, env_ignore_empty=True
    )

    @classmethod
    def load(cls) -> Self:
        """Read and check. Raises `ConfigError` in words for the person who set the variables."""
        folder = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
        try:
            return cls(_secrets_dir=folder if folder.is_dir() else None)  # type: ignore[call-arg]
        except SettingsError as refused:
            # It names the field alone, between quotes.
            name = str(refused).split('"')[1]
            raise ConfigError(f"{cls._variable((name,))}: must be JSON") from None
        except ValidationError as refused:
            lines = [f"{cls._variable(error['loc'])}: {error['msg']}" for error in refused.errors()]
            raise ConfigError("; ".join(lines)) from None

    @classmethod
    def _variable(cls, place: tuple[int | str, ...]) -> str:
        # A field that reads a variable of another room is told of by that variable's own name.
        own = place[:1] and place[0] in cls.model_fields
        prefix = str(cls.model_config.get("env_prefix", "")) if own or not place else ""
        return f"{prefix}{'_'.join(map(str, place))}".upper()


class RoomConfig(Config):
    """What every room is told."""

    listen: str = Field(pattern=r"^[^:]+:\d{1,5}$")
    """The address to serve gRPC on, as host:port. Port 0 takes a free one."""
    drain_seconds: float = Field(default=10.0, ge=0, le=600)
    """How long calls in flight may finish after SIGTERM before they are cut. Zero cuts at once."""
