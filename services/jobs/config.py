"""What the jobs room and its workers are told by their environment."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis import limits
from services.chassis.config import Config, RoomConfig
from services.jobs.media import MediaRules

_ADDRESS = r"^[^:]+:\d{1,5}$"


class DatabaseConfig(Config):
    """Where the jobs are kept."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    database_url: SecretStr
    """PostgreSQL, as postgresql+psycopg://user:password@host:5432/name."""


class StoreConfig(Config):
    """Where media is kept, how much, and for how long."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    media_url: str = Field(pattern=r"^(file:///|s3://)")
    """A folder that the room and its workers share, as file:///folder, or a bucket, as
    s3://bucket/prefix; what opens the bucket stands in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT_URL and so on.
    """
    media_ttl_seconds: float = Field(default=24 * 3600.0, ge=60, le=30 * 24 * 3600)
    """How long an upload that names no time is kept."""
    media_max_bytes: int = Field(default=limits.BODY_BYTES, ge=1, le=limits.BODY_BYTES)
    """The most bytes of one upload."""
    media_quota_bytes: int = Field(default=10 * 1024**3, ge=1)
    """The most bytes that are kept for one tenant, uploaded and fetched."""

    @property
    def media_rules(self) -> MediaRules:
        """What the keeper is told of it."""
        return MediaRules(
            ttl=timedelta(seconds=self.media_ttl_seconds),
            most_bytes=self.media_max_bytes,
            quota_bytes=self.media_quota_bytes,
        )


class JobsConfig(RoomConfig, DatabaseConfig, StoreConfig):
    """The variables of the room that begin with `JOBS_`."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")


class PeersConfig(DatabaseConfig, StoreConfig):
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
    sweep_seconds: float = Field(default=60.0, ge=0.05, le=3600)
    """How often it removes media that has expired and that no job holds."""
    backoff_seconds: float = Field(default=15.0, ge=0.1, le=3600)
    """The longest wait between two attempts, unless the engine asks for a longer one."""
