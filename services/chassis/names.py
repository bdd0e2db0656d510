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
PRIORITY_HEADER: Final = "x-mesh-priority"
"""The metadata key in which a call's priority travels; the edge lets callers lower it, not raise
it.
"""
KEY_HEADER: Final = "x-mesh-key"
"""The header in which the edge tells the bridge of a socket that it lets in to be refused."""
KEY_REFUSED: Final = "refused"
"""What it then says."""

ENGINE_LIMIT: Final = "mesh.engine.limit"
"""The metric of how many calls a room gives its engine at once now."""
ENGINE_CALLS: Final = "mesh.engine.calls"
"""The metric of how many calls are at the engine."""
ENGINE_WAITING: Final = "mesh.engine.waiting"
"""The metric of how many calls wait for the engine, by `PRIORITY`."""
ENGINE_REFUSED: Final = "mesh.engine.refused"
"""The metric of calls that were refused because the engine has too much to do, by `PRIORITY`."""
PRIORITY: Final = "mesh.priority"
"""The attribute of a metric that tells a call's priority: live, interactive or job."""

WEBHOOK_ATTEMPTS: Final = "mesh.webhook.attempts"
"""Counts the messages sent, by `outcome`: delivered, pending (to be sent again) or dead."""
WEBHOOK_AGE: Final = "mesh.webhook.oldest.age"
"""How many seconds the oldest message that is to be sent has been waiting."""
