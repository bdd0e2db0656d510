import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from services.vision.adapters.machine import LocalMachine
from services.vision.domain import Device

OWN = psutil.Process().pid


@pytest.fixture
def url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


class Nvml:
    """NVIDIA's library, with the cards that a test puts in."""

    NVMLError = pynvml.NVMLError

    def __init__(self, *cards: dict[int, int | None]) -> None:
        self.cards = cards
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own name
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802 - the library's own name
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - the library's own name
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[int, int | None]:  # noqa: N802 - same
        return self.cards[index]

    def nvmlDeviceGetComputeRunningProcesses(self, card: Any) -> list[Any]:  # noqa: N802 - same
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in card.items()]

    def nvmlDeviceGetMemoryInfo(self, card: Any) -> Any:  # noqa: N802 - the library's own name
        return SimpleNamespace(total=100, used=60)

    def nvmlDeviceGetName(self, card: Any) -> str:  # noqa: N802 - the library's own name
        return "NVIDIA H100"


def put(monkeypatch: pytest.MonkeyPatch, nvml: Nvml) -> Nvml:
    monkeypatch.setattr("services.vision.adapters.machine.pynvml", nvml)
    return nvml


async def test_of_an_engine_elsewhere_nothing_is_told() -> None:
    assert await LocalMachine("http://vllm.example:8000/v1").read() == Device()


async def test_of_an_engine_that_is_down_nothing_is_told() -> None:
    assert await LocalMachine("http://127.0.0.1:1/v1").read() == Device()


async def test_without_a_card_the_process_tells_of_itself(url: str) -> None:
    device = await LocalMachine(url).read()
    assert device.name == "cpu"
    assert device.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < (device.memory_used_bytes or 0) < device.memory_total_bytes
    assert device.engine_memory_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


async def test_a_card_that_the_engine_is_on_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = put(monkeypatch, Nvml({1: 5}, {OWN: 40, 1: 3}))
    assert await LocalMachine(url).read() == Device("NVIDIA H100", 100, 60, 40)
    assert nvml.open == 0


async def test_a_model_over_several_cards_is_told_as_one(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, Nvml({OWN: 40}, {OWN: 30}))
    assert await LocalMachine(url).read() == Device("2 x NVIDIA H100", 200, 120, 70)


async def test_what_the_driver_hides_stays_untold(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, Nvml({OWN: None}))
    assert (await LocalMachine(url).read()).engine_memory_bytes is None


async def test_a_card_that_others_use_is_not_the_engine_s(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, Nvml({1: 5}))
    assert (await LocalMachine(url).read()).name == "cpu"
