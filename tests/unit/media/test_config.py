from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from services.chassis.config import ConfigError
from services.media.config import MediaConfig


class RoomOfMedia(MediaConfig):
    model_config = SettingsConfigDict(env_prefix="ROOM_")


def test_nothing_is_open_unless_it_is_said() -> None:
    config = RoomOfMedia.load()
    assert (config.fetch_allow, config.media_root) == ((), None)


def test_the_environment_opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROOM_FETCH_ALLOW", "media.example, .example.org,10.0.0.0/8,")
    monkeypatch.setenv("ROOM_MEDIA_ROOT", str(tmp_path))
    config = RoomOfMedia.load()
    assert config.fetch_allow == ("media.example", ".example.org", "10.0.0.0/8")
    assert config.media_root == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROOM_FETCH_ALLOW", "http://x"),
        ("ROOM_FETCH_SECONDS", "0"),
        ("ROOM_MEDIA_ROOT", "/nowhere/at/all"),
    ],
)
def test_what_opens_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        RoomOfMedia.load()
