from pathlib import Path

import pytest

from services.audio.config import AudioConfig
from services.chassis.config import ConfigError


@pytest.fixture(autouse=True)
def listening(monkeypatch):
    for name in ("AUDIO_MODEL", "SENSORIUM_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUDIO_LISTEN", "127.0.0.1:0")


def test_a_name_is_looked_up_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SENSORIUM_MODELS", str(tmp_path))
    monkeypatch.setenv("AUDIO_MODEL", "whisper-small")
    assert AudioConfig.load().model_folder == tmp_path / "whisper-small"


def test_a_path_is_taken_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIO_MODEL", str(tmp_path / "mine"))
    assert AudioConfig.load().model_folder == tmp_path / "mine"


def test_without_settings_whisper_base_stands_in_the_cache_of_the_user():
    expected = Path.home() / ".cache" / "sensorium" / "models" / "whisper-base"
    assert AudioConfig.load().model_folder == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDIO_THREADS", "-1"),
        ("AUDIO_DEVICE", "tpu"),
        ("AUDIO_COMPUTE_TYPE", "int3"),
        ("AUDIO_RECORDINGS_AT_ONCE", "0"),
        ("AUDIO_DECODE_SECONDS", "0"),
    ],
)
def test_a_setting_out_of_range_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        AudioConfig.load()
