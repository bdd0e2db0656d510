import base64

import pytest

from services.chassis.config import ConfigError
from services.jobs.config import (
    DatabaseConfig,
    JobsConfig,
    PeersConfig,
    WebhookConfig,
    WorkerConfig,
)
from services.jobs.content import JobType


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("JOBS_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("JOBS_DATABASE_URL", "postgresql+psycopg://me:hush@host/jobs")
    monkeypatch.setenv("JOBS_MEDIA_URL", "s3://media/prefix")
    monkeypatch.setenv("WORKER_LISTEN", "127.0.0.1:2")
    for room in ("VISION", "REASONING", "AUDIO"):
        monkeypatch.setenv(f"JOBS_{room}_TARGET", f"{room.lower()}:3")


def test_the_room_and_its_workers_read_their_own_variables():
    assert JobsConfig.load().listen == "127.0.0.1:1"
    assert WorkerConfig.load().listen == "127.0.0.1:2"
    assert PeersConfig.load().audio_target == "audio:3"
    assert DatabaseConfig.load().database_url.get_secret_value().endswith("/jobs")


def test_vlm_node_s_names_say_where_things_are_kept_where_nothing_else_does(monkeypatch):
    monkeypatch.setenv("POSTGRES_URL", "postgres://vlm:hush@host:5432/vlm")
    monkeypatch.setenv("DATA_DIR", "/srv/my data")
    assert JobsConfig.load().media_url == "s3://media/prefix"
    assert JobsConfig.load().database_url.get_secret_value().endswith("/jobs")
    monkeypatch.delenv("JOBS_DATABASE_URL")
    monkeypatch.delenv("JOBS_MEDIA_URL")
    for kind in (JobsConfig, PeersConfig):
        config = kind.load()
        assert config.database_url.get_secret_value() == "postgres://vlm:hush@host:5432/vlm"
        assert config.media_url == "file:///srv/my%20data/media"
        assert config.media_root is None
    monkeypatch.delenv("POSTGRES_URL")
    with pytest.raises(ConfigError, match="JOBS_DATABASE_URL"):
        DatabaseConfig.load()


def test_limits_are_read_as_json(monkeypatch):
    monkeypatch.setenv("WORKER_TYPE_LIMITS", '{"caption_v1": 2}')
    monkeypatch.setenv("JOBS_CAPACITIES", '{"caption_v1": 100, "task_timing_v1": 7}')
    assert WorkerConfig.load().type_limits == {JobType.CAPTION_V1: 2}
    told = {JobType.CAPTION_V1: 100, JobType.TASK_TIMING_V1: 7}
    assert JobsConfig.load().capacities == told


@pytest.mark.parametrize("value", ['{"caption": 2}', '{"caption_v1": 0}', "7", "{"])
def test_limits_that_are_none_are_named(monkeypatch, value):
    monkeypatch.setenv("WORKER_TYPE_LIMITS", value)
    with pytest.raises(ConfigError, match="WORKER_TYPE_LIMITS"):
        WorkerConfig.load()


def test_the_password_is_not_shown():
    assert "hush" not in repr(JobsConfig.load())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("JOBS_VISION_TARGET", "vision"), ("JOBS_DATABASE_URL", ""), ("JOBS_MEDIA_URL", "ftp://x")],
)
def test_what_is_wrong_or_missing_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=variable):
        PeersConfig.load()


def webhooks(monkeypatch, *keys):
    monkeypatch.setenv("JOBS_WEBHOOK_KEYS", ",".join(base64.b64encode(it).decode() for it in keys))
    return WebhookConfig.load()


def test_keys_for_webhooks_are_read_newest_first_and_not_shown(monkeypatch):
    new, old = bytes(range(32)), bytes(40)
    config = webhooks(monkeypatch, new, old)
    assert config.keys == (new, old)
    assert base64.b64encode(new).decode() not in repr(config)
    assert (config.webhook_allow, config.webhook_http) == ((), False)


@pytest.mark.parametrize("keys", ["", "hush", "aHVzaA==", "%%%%" * 12, ","])
def test_keys_that_nobody_could_sign_by_are_refused_and_not_shown(monkeypatch, keys):
    monkeypatch.setenv("JOBS_WEBHOOK_KEYS", keys)
    with pytest.raises(ConfigError, match="JOBS_WEBHOOK_KEYS") as refused:
        WebhookConfig.load()
    assert not keys.strip(",") or keys not in str(refused.value)
