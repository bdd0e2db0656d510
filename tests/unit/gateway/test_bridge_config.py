import pytest

from gateway.bridge.config import BridgeConfig
from gateway.bridge.dialects import vila
from services.chassis.config import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("BRIDGE_LISTEN", "127.0.0.1:0")
    for room in ("JOBS", "VISION", "REASONING", "AUDIO"):
        monkeypatch.setenv(f"BRIDGE_{room}_TARGET", "127.0.0.1:1")
    for name in ("IMAGE_BATCH_SIZE", "VILA_PROMPT"):
        monkeypatch.delenv(name, raising=False)


def test_the_replaced_systems_own_variables_count(monkeypatch):
    config = BridgeConfig.load()
    assert (config.image_batch, config.vila_prompt) == (5, vila.PROMPT)
    monkeypatch.setenv("IMAGE_BATCH_SIZE", "3")
    monkeypatch.setenv("VILA_PROMPT", "Is anybody there?")
    config = BridgeConfig.load()
    assert (config.image_batch, config.vila_prompt) == (3, "Is anybody there?")


@pytest.mark.parametrize("size", ["0", "17", "many"])
def test_a_batch_that_cannot_be_is_told_by_its_variable(monkeypatch, size):
    monkeypatch.setenv("IMAGE_BATCH_SIZE", size)
    with pytest.raises(ConfigError, match="IMAGE_BATCH_SIZE"):
        BridgeConfig.load()
