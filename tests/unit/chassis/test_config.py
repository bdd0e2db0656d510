import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.config import ConfigError, RoomConfig


class ExampleConfig(RoomConfig):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    password: SecretStr
    limits: dict[str, int] = Field(default={}, validation_alias="OTHER_LIMITS")


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("EXAMPLE_LISTEN", "127.0.0.1:0")
    return tmp_path


def test_fields_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("EXAMPLE_PASSWORD", "open")
    config = ExampleConfig.load()
    assert (config.listen, config.password.get_secret_value()) == ("127.0.0.1:0", "open")


def test_a_secret_may_be_a_file(environment):
    (environment / "EXAMPLE_PASSWORD").write_text("sesame\n")
    assert ExampleConfig.load().password.get_secret_value() == "sesame"


def test_a_missing_variable_is_named():
    with pytest.raises(ConfigError, match="EXAMPLE_PASSWORD: Field required"):
        ExampleConfig.load()


def test_every_wrong_variable_is_named_with_its_rule(monkeypatch):
    monkeypatch.setenv("EXAMPLE_PASSWORD", "open")
    monkeypatch.setenv("EXAMPLE_LISTEN", "8080")
    monkeypatch.setenv("EXAMPLE_DRAIN_SECONDS", "-1")
    with pytest.raises(ConfigError) as refused:
        ExampleConfig.load()
    assert "EXAMPLE_LISTEN: " in str(refused.value)
    assert "EXAMPLE_DRAIN_SECONDS: " in str(refused.value)


def test_a_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("EXAMPLE_PASSWORD", "open sesame")
    assert "open sesame" not in repr(ExampleConfig.load())


def test_a_variable_of_another_room_is_told_of_by_its_own_name(monkeypatch):
    monkeypatch.setenv("EXAMPLE_PASSWORD", "open")
    monkeypatch.setenv("OTHER_LIMITS", '{"a": 2}')
    assert ExampleConfig.load().limits == {"a": 2}
    monkeypatch.setenv("OTHER_LIMITS", '{"a": "many"}')
    with pytest.raises(ConfigError, match=r"^OTHER_LIMITS_A: "):
        ExampleConfig.load()
