import pytest

from services.chassis.config import ConfigError
from services.engine.choice import engine_from_config
from services.engine.config import EngineProtocol
from services.engine.ollama import OllamaEngine
from services.engine.openai import OpenAIEngine
from services.reasoning.config import ReasoningConfig
from services.vision.config import VisionConfig


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_HOST", "VLM_MODEL", "LLM_MODEL", "VISION_ENGINE_URL", "VISION_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VISION_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("REASONING_LISTEN", "127.0.0.1:0")


def test_an_engine_speaks_openai_s_protocol_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VISION_ENGINE_URL", "http://engine/v1")
    config = VisionConfig.load()
    assert (config.engine, config.engine_pull) == (EngineProtocol.OPENAI, False)
    assert isinstance(engine_from_config(config), OpenAIEngine)
    monkeypatch.setenv("VISION_ENGINE", "ollama")
    assert isinstance(engine_from_config(VisionConfig.load()), OllamaEngine)


def test_vlm_node_s_names_name_the_engines_of_both_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://ollama:11434")
    monkeypatch.setenv("VLM_MODEL", "moondream")
    vision, reasoning = VisionConfig.load(), ReasoningConfig.load()
    assert vision.engine is reasoning.engine is EngineProtocol.OLLAMA
    assert vision.engine_url == reasoning.engine_url == "http://ollama:11434"
    assert (vision.model, reasoning.model) == ("moondream", "llama3:latest")
    assert vision.engine_pull


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("http://ollama:11434", "http://ollama:11434"),
        ("https://ollama.example/api", "https://ollama.example/api"),
        ("ollama", "http://ollama:11434"),
        ("10.0.0.5:8080", "http://10.0.0.5:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:11434"),
    ],
)
def test_an_ollama_s_address_is_completed_as_ollama_does(
    monkeypatch: pytest.MonkeyPatch, said: str, address: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", said)
    assert VisionConfig.load().engine_url == address


def test_a_room_s_own_names_come_before_vlm_node_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://ollama:11434")
    monkeypatch.setenv("VLM_MODEL", "moondream")
    monkeypatch.setenv("VISION_MODEL", "llava:13b")
    assert VisionConfig.load().model == "llava:13b"
    monkeypatch.setenv("VISION_ENGINE_URL", "http://vllm/v1")
    config = VisionConfig.load()
    assert (config.engine, config.engine_url) == (EngineProtocol.OPENAI, "http://vllm/v1")
    assert not config.engine_pull


def test_a_protocol_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISION_ENGINE_URL", "http://engine/v1")
    monkeypatch.setenv("VISION_ENGINE", "grpc")
    with pytest.raises(ConfigError, match=r"VISION_ENGINE: .*'openai' or 'ollama'"):
        VisionConfig.load()


def test_without_any_engine_the_room_says_which_name_is_missing() -> None:
    with pytest.raises(ConfigError, match="VISION_ENGINE_URL: Field required"):
        VisionConfig.load()
