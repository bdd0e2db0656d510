"""What the systems that the mesh replaces tell of the device that the model runs on, from what the
vision room knows of it. What nobody can tell is null, never zero.
"""

from collections.abc import Generator
from typing import Any, Final

from mesh.vision.v1 import vision_service_pb2 as pb
from pydantic import BaseModel

from gateway.bridge.exchange import Ask
from services.chassis import errors

_GIBIBYTE: Final = 1024**3
_MEBIBYTE: Final = 1024**2

Asking = Generator[Ask, Any, pb.GetDeviceResponse]


class Vram(BaseModel):
    """Memory of the device in GiB: `allocated` is in use by whomever, `reserved` by the engine."""

    allocated_gb: float | None
    reserved_gb: float | None
    free_gb: float | None
    total_gb: float | None
    usage_percentage: float | None


class SystemMemory(BaseModel):
    """Memory of the machine: what the engine's process holds in MiB, and the share in use."""

    rss_mb: float | None
    vms_mb: float | None
    percent: float | None


class GpuMemory(BaseModel):
    """Memory of the card in MiB; `error` says why there is nothing to tell."""

    allocated_mb: float | None = None
    reserved_mb: float | None = None
    total_mb: float | None = None
    error: str | None = None


class MemoryUsage(BaseModel):
    """Memory of the machine and of its card."""

    system: SystemMemory
    gpu: GpuMemory


def ask() -> Asking:
    """Ask for the device; one that nothing is known of comes back while it cannot be told."""
    try:
        told: pb.GetDeviceResponse = yield Ask("VisionService", "GetDevice", pb.GetDeviceRequest())
    except (errors.Unavailable, errors.TimedOut, errors.Unimplemented):
        return pb.GetDeviceResponse()
    return told


def kind(device: pb.GetDeviceResponse) -> str | None:
    """The device in their two words: `cpu`, or `cuda` for any other."""
    if not device.device:
        return None
    return "cuda" if has_gpu(device) else "cpu"


def has_gpu(device: pb.GetDeviceResponse) -> bool | None:
    """Whether the model runs on a card."""
    return device.device.partition(" ")[0].lower() != "cpu" if device.device else None


def vram(device: pb.GetDeviceResponse) -> Vram:
    """Write the device's memory as vlm_server does."""
    total = _number(device, "memory_total_bytes")
    used = _number(device, "memory_used_bytes")
    return Vram(
        allocated_gb=_in(_GIBIBYTE, used),
        reserved_gb=_in(_GIBIBYTE, _number(device, "engine_memory_bytes")),
        free_gb=None if total is None or used is None else _in(_GIBIBYTE, total - used),
        total_gb=_in(_GIBIBYTE, total),
        usage_percentage=_percentage(device),
    )


def memory_usage(device: pb.GetDeviceResponse) -> MemoryUsage | None:
    """Write the device's memory as the caption queue does."""
    if not device.device:
        return None
    held = _in(_MEBIBYTE, _number(device, "engine_memory_bytes"))
    if not has_gpu(device):
        system = SystemMemory(rss_mb=held, vms_mb=None, percent=_percentage(device))
        return MemoryUsage(system=system, gpu=GpuMemory(error="the model runs on no GPU"))
    return MemoryUsage(
        system=SystemMemory(rss_mb=None, vms_mb=None, percent=None),
        gpu=GpuMemory(
            allocated_mb=_in(_MEBIBYTE, _number(device, "memory_used_bytes")),
            reserved_mb=held,
            total_mb=_in(_MEBIBYTE, _number(device, "memory_total_bytes")),
        ),
    )


def _number(device: pb.GetDeviceResponse, name: str) -> float | None:
    return float(getattr(device, name)) if device.HasField(name) else None


def _in(unit: int, size: float | None) -> float | None:
    return None if size is None else round(size / unit, 2)


def _percentage(device: pb.GetDeviceResponse) -> float | None:
    total, used = (_number(device, f"memory_{it}_bytes") for it in ("total", "used"))
    return round(100 * used / total, 2) if total and used is not None else None
