"""The machine under an engine that runs beside the room: its process, and the card or the memory
that it uses.

Of an engine on another machine nothing can be told from here. NVML tells of a card; where none is,
the process tells of itself.
"""

import asyncio
from typing import Final
from urllib.parse import urlsplit

import psutil
import pynvml  # type: ignore[import-untyped]

from services.vision.domain import Device

_BESIDE: Final = ("127.0.0.1", "localhost", "::1")


class LocalMachine:
    """Looks at the engine that listens at `engine_url`, by the process that does."""

    def __init__(self, engine_url: str) -> None:
        split = urlsplit(engine_url)
        self._port = split.port if split.hostname in _BESIDE else None

    async def read(self) -> Device:
        """Tell the device and its memory."""
        if self._port is None:
            return Device()
        return await asyncio.to_thread(_read, self._port)


def _read(port: int) -> Device:
    processes = _listeners(port)
    if not processes:
        return Device()
    return _on_card({it.pid for it in processes}) or _on_processor(processes)


def _listeners(port: int) -> list[psutil.Process]:
    """The process that listens, and those that it has started."""
    try:
        pids = {
            it.pid
            for it in psutil.net_connections("tcp")
            if it.status == psutil.CONN_LISTEN and it.laddr and it.laddr.port == port and it.pid
        }
        parents = [psutil.Process(pid) for pid in pids]
        return [each for it in parents for each in (it, *it.children(recursive=True))]
    except psutil.Error:
        return []


def _on_card(pids: set[int]) -> Device | None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return _card(pids)
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _card(pids: set[int]) -> Device | None:
    """The cards on which the processes are; one model may be spread over several."""
    used = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        card = pynvml.nvmlDeviceGetHandleByIndex(index)
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(card)
        own = [it.usedGpuMemory for it in running if it.pid in pids]
        if own:
            used.append((card, own))
    if not used:
        return None
    memory = [pynvml.nvmlDeviceGetMemoryInfo(card) for card, _ in used]
    # A driver in a container may hide how much each process holds.
    held = [it for _, own in used for it in own]
    name = pynvml.nvmlDeviceGetName(used[0][0])
    return Device(
        name=name if len(used) == 1 else f"{len(used)} x {name}",
        memory_total_bytes=sum(it.total for it in memory),
        memory_used_bytes=sum(it.used for it in memory),
        engine_memory_bytes=None if None in held else sum(held),
    )


def _on_processor(processes: list[psutil.Process]) -> Device:
    memory = psutil.virtual_memory()
    known = [held for it in processes if (held := _held(it)) is not None]
    return Device(
        name="cpu",
        memory_total_bytes=memory.total,
        memory_used_bytes=memory.total - memory.available,
        engine_memory_bytes=sum(known) if known else None,
    )


def _held(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return None  # It has ended meanwhile.
