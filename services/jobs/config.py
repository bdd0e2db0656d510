"""What the jobs room and its workers are told by their environment."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.config import Config, RoomConfig

_ADDRESS = r"^[^:]+:\d{1,5}$"


class DatabaseConfig(Config):
    """Where the jobs are kept."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    database_url: SecretStr
    """PostgreSQL, as postgresql+psycopg://user:password@host:5432/name."""


class JobsConfig(RoomConfig, DatabaseConfig):
    """The variables of the room that begin with `JOBS_`."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")


class PeersConfig(DatabaseConfig):
    """The variables of a worker that begin with `JOBS_`: what it works on and with."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    vision_target: str = Field(pattern=_ADDRESS)
    """The vision room, as host:port."""
    reasoning_target: str = Field(pattern=_ADDRESS)
    """The reasoning room, as host:port."""
    audio_target: str = Field(pattern=_ADDRESS)
    """The audio room, as host:port."""


class WorkerConfig(RoomConfig):
    """The variables of a worker that begin with `WORKER_`."""

    model_config = SettingsConfigDict(env_prefix="WORKER_")

    concurrency: int = Field(default=4, ge=1, le=1000)
    """How many jobs it works on at once."""
    lease_seconds: float = Field(default=15.0, ge=0.3, le=3600)
    """How long a job stays with a worker that gives no sign; it gives one each third of that."""
    poll_seconds: float = Field(default=1.0, ge=0.05, le=60)
    """How often it looks for work that no notice told of, such as a job that was to wait."""
    patience_seconds: float = Field(default=24 * 3600.0, ge=1)
    """How long after its creation or retry a job is tried again while an engine is down."""
    backoff_seconds: float = Field(default=15.0, ge=0.1, le=3600)
    """The longest wait between two attempts, unless the engine asks for a longer one."""
