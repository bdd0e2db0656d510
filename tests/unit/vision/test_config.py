import pytest

from services.chassis.config import ConfigError
from services.vision.config import VisionConfig


def test_the_environment_makes_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("VISION_ENGINE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("VISION_ENGINE_API_KEY", "secret")
    monkeypatch.setenv("VISION_MODEL_NOTICE", "knows aisles")
    config = VisionConfig.load()
    assert config.engine_api_key.get_secret_value() == "secret"
    assert config.model_notice == "knows aisles"
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VISION_ENGINE_URL", "127.0.0.1:1"),
        ("VISION_MAX_TOKENS", "0"),
        ("VISION_ENGINE_CALLS", "0"),
        ("VISION_ENGINE_SECONDS", "0"),
        ("VISION_IMAGE_PIXELS", "1"),
    ],
)
def test_what_makes_none_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("VISION_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("VISION_ENGINE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        VisionConfig.load()
