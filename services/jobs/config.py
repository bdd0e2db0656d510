"""What the jobs room and its workers are told by their environment."""

import base64
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.chassis import limits
from services.chassis.config import Config, RoomConfig
from services.jobs.capacity import TENANT_JOBS
from services.jobs.content import JobType
from services.jobs.media import MediaRules
from services.jobs.sessions.bounds import Bounds
from services.jobs.vlm_node_names import VlmNodeNames
from services.media.config import Allowed, MediaConfig

_URL = r"^https?://[^\s?#]+[^\s?#/]$"
_ADDRESS = r"^[^:]+:\d{1,5}$"
_KEY_BYTES = 32


class KeepingConfig(Config):
    """Where things are kept, by vlm-node's names too."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read vlm-node's names last: what the room's own say comes before them."""
        own = super().settings_customise_sources(settings_cls, *sources, **named)
        return (*own, VlmNodeNames(settings_cls))


class DatabaseConfig(KeepingConfig):
    """Where the jobs are kept."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    database_url: SecretStr
    """PostgreSQL, as postgresql+psycopg://user:password@host:5432/name."""


class StoreConfig(KeepingConfig):
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
    """The most bytes of one upload that is sent in one piece, and of what is taken up whole."""
    spooled_bytes: int = Field(default=limits.RECORDING_BYTES, ge=1, le=1 << 40)
    """What recordings that are sent in parts, or fetched, may take up on disk together, in the
    folder for temporary files, until they are kept; and so the largest of them.
    """
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


class DomainAddresses(Config):
    """Where the posemesh network is, by the names that vlm-node gave its variables."""

    api_url: str | None = Field(default=None, pattern=_URL)
    """Its accounts, such as https://api.auki.network. Empty: no job may name a domain."""
    dds_url: str | None = Field(default=None, pattern=_URL)
    """Its domains, such as https://dds.posemesh.org."""


class DomainConfig(DomainAddresses):
    """The account by which workers read domains, and write results to them."""

    client_id: str = Field(default="sensorium", pattern=r"^[\x21-\x7e]+$")
    """What the network is told of who asks."""
    posemesh_email: str | None = None
    """The account's name."""
    posemesh_password: SecretStr | None = None
    """The account's password."""
    app_key: str | None = None
    """The name of an app that asks instead of an account."""
    app_secret: SecretStr | None = None
    """The app's secret."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        account = self.posemesh_email and self.posemesh_password
        app = self.app_key and self.app_secret
        if self.api_url and not (self.dds_url and (account or app)):
            raise ValueError(
                "API_URL is set: set DDS_URL too, and POSEMESH_EMAIL and POSEMESH_PASSWORD, or"
                " APP_KEY and APP_SECRET"
            )
        return self


class SessionsConfig(Config):
    """Sessions of speech: who hears and who reasons, and what they may take up."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    audio_target: str = Field(pattern=_ADDRESS)
    """The audio room, as host:port."""
    reasoning_target: str = Field(pattern=_ADDRESS)
    """The reasoning room, as host:port."""
    sessions_at_once: int = Field(default=64, ge=1, le=1_024)
    """How many sessions may have a stream at once; more are refused for the moment."""
    session_kept_seconds: float = Field(default=90.0, gt=0, le=3_600)
    """How long a session whose stream broke off waits for its client, unless the audio room forgets
    it sooner. Then it ends.
    """
    session_analyses_at_once: int = Field(default=4, ge=1, le=64)
    """How many sessions that ended are analysed at once; further ones wait."""
    session_analysis_seconds: float = Field(default=600.0, ge=1, le=3_600)
    """How long the analysis of one session may take; what is not made by then is named as missing.
    """
    session_retention_seconds: float = Field(default=24 * 3600.0, ge=60, le=365 * 24 * 3600)
    """How long a session is kept after its end."""

    @property
    def session_bounds(self) -> Bounds:
        """What sessions are told of it."""
        return Bounds(
            streams=self.sessions_at_once,
            kept=timedelta(seconds=self.session_kept_seconds),
            analyses=self.session_analyses_at_once,
            analysis=timedelta(seconds=self.session_analysis_seconds),
            retention=timedelta(seconds=self.session_retention_seconds),
        )


class JobsConfig(RoomConfig, DatabaseConfig, StoreConfig, MediaConfig, SessionsConfig):
    """The variables of the room that begin with `JOBS_`."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    capacities: dict[JobType, Annotated[int, Field(ge=1)]] = Field(default={})
    """How many jobs of a type may wait, as JSON such as {"caption_v1": 100}; more are refused until
    some are done. Types that are left out have no bound of their own.
    """
    tenant_capacity: int = Field(default=TENANT_JOBS, ge=1)
    """How many jobs of one tenant may wait."""


class WebhookConfig(Config):
    """The variables about webhooks, the same in the room and its workers."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    webhook_keys: SecretStr
    """The keys from which the secrets that sign webhooks are derived: base64 of at least 32 random
    bytes each, apart by commas, the newest first. An older one stays until every receiver has the
    newer secret.
    """
    webhook_allow: Allowed = ()
    """Hosts and networks that may be called although they are not public, also over `http`, such as
    `hooks.example.com,.example.org,10.1.0.0/16`. Empty: the public internet alone.
    """
    webhook_http: bool = False
    """Whether every public host may be called over `http` too."""

    @field_validator("webhook_keys")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        if not all(len(it) >= _KEY_BYTES for it in _keys(value)):
            raise ValueError("must be base64 of at least 32 random bytes, or several by commas")
        return value

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys, the newest first."""
        return _keys(self.webhook_keys)


def _keys(value: SecretStr) -> tuple[bytes, ...]:
    try:
        return tuple(
            base64.b64decode(it.strip(), validate=True)
            for it in value.get_secret_value().split(",")
        )
    except ValueError:
        return (b"",)


class PeersConfig(DatabaseConfig, StoreConfig, MediaConfig):
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
    source_patience_seconds: float = Field(default=900.0, ge=0)
    """How long after its creation or retry a job is tried again, at no cost, while media that it
    names cannot be fetched; after that each failure uses up an attempt.
    """
    sweep_seconds: float = Field(default=60.0, ge=0.05, le=3600)
    """How often it removes what is not needed: media that has expired and that no job holds, and
    jobs whose retention is over.
    """
    retention_days: float = Field(default=30.0, ge=0, le=36_500)
    """How long a job is kept after its end, with all that belongs to it. Zero: for ever."""
    type_limits: dict[JobType, Annotated[int, Field(ge=1)]] = Field(default={})
    """How many jobs of a type all workers together work on at most, as JSON such as
    {"caption_v1": 2}. Give every worker the same. Types that are left out have no limit.
    """
    backoff_seconds: float = Field(default=15.0, ge=0.1, le=3600)
    """The longest wait between two attempts, unless the engine asks for a longer one."""
    webhook_concurrency: int = Field(default=32, ge=1, le=1000)
    """How many webhooks it sends at once."""
    webhook_host_concurrency: int = Field(default=4, ge=1, le=1000)
    """How many of them may go to one host."""
    webhook_timeout_seconds: float = Field(default=10.0, ge=0.1, le=60)
    """How long a receiver may take to answer."""
    webhook_backoff_seconds: float = Field(default=24 * 3600.0, ge=0.01, le=24 * 3600)
    """The longest wait between two attempts to send a webhook."""
