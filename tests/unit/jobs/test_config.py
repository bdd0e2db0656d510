import pytest

from services.chassis.config import ConfigError
from services.jobs.config import DatabaseConfig, JobsConfig, PeersConfig, WorkerConfig


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
