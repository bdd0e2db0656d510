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
RETRY_HEADER: Final = "retry-after"
"""The trailer in which a room says after how many seconds a call may be tried again."""
SESSION_HEADER: Final = "session-key"
"""The metadata key by which the streams of one session find the same replica of a room: any word
that is the same in all of them.
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

WATCH_STREAMS: Final = "mesh.watch.streams"
"""The metric of how many streams of frames are open."""
WATCH_HELD: Final = "mesh.watch.held"
"""The metric of how many bytes of frames all streams keep."""
WATCH_REFUSED: Final = "mesh.watch.refused"
"""The metric of streams that were refused because too many are open."""
WATCH_FRAMES: Final = "mesh.watch.frames"
"""The metric of what became of frames, by `WATCH_FATE`."""
WATCH_FATE: Final = "mesh.watch.fate"
"""The attribute that tells it: answered, skipped (nothing new), dropped (newer ones came) or
refused.
"""
WATCH_AGE: Final = "mesh.watch.age"
"""The metric of how old the newest frame of each answer was, since the room received it."""
WATCH_NOTICES: Final = "mesh.watch.notices"
"""The metric of what watchers had to be told, by `WATCH_REASON`."""
WATCH_REASON: Final = "mesh.watch.reason"
"""The attribute that tells why."""

SOCKETS_OPEN: Final = "mesh.sockets.open"
"""The metric of how many WebSockets are open, by `ROUTE`."""
SOCKETS_CLOSED: Final = "mesh.sockets.closed"
"""The metric of WebSockets that the bridge closed, by `SOCKET_CODE`."""
SOCKET_CODE: Final = "mesh.socket.code"
"""The attribute that tells the code with which a WebSocket was closed."""
SOCKETS_HELD: Final = "mesh.sockets.held"
"""The metric of how many bytes of clients' pictures the bridge keeps."""
SOCKETS_MESSAGES: Final = "mesh.sockets.messages"
"""The metric of messages that came on WebSockets, by `ROUTE`."""
SOCKETS_PASSED: Final = "mesh.sockets.passed"
"""The metric of messages that were passed on to a room while it listened, by `ROUTE`; of frames the
others are dropped, for newer ones came.
"""
ROUTE: Final = "http.route"
"""The attribute that tells at which path."""

WEBHOOK_ATTEMPTS: Final = "mesh.webhook.attempts"
"""Counts the messages sent, by `outcome`: delivered, pending (to be sent again) or dead."""
WEBHOOK_AGE: Final = "mesh.webhook.oldest.age"
"""How many seconds the oldest message that is to be sent has been waiting."""

SESSIONS_OPEN: Final = "mesh.sessions.open"
"""The metric of how many sessions of speech have a stream."""
SESSIONS_ENDED: Final = "mesh.sessions.ended"
"""Counts the sessions of speech that ended, by `outcome`: whole, or partial (something is missing).
"""
