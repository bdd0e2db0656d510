"""Every name that telemetry, configuration and processes share, so that each is written once."""

from typing import Final

JOBS: Final = "jobs"
WORKER: Final = "worker"
VISION: Final = "vision"
REASONING: Final = "reasoning"
AUDIO: Final = "audio"
BRIDGE: Final = "bridge"
GATEWAY: Final = "gateway"

ERROR_DOMAIN: Final = "sensorium"
"""The domain of every `google.rpc.ErrorInfo`."""
TENANT_HEADER: Final = "x-mesh-tenant"
"""The metadata key in which a caller's tenant travels between rooms; the edge sets it from the key.
"""
DEFAULT_TENANT: Final = "default"
"""The tenant of a mesh that asks for no keys."""
