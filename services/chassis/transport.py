"""The gRPC options that both ends of every channel inside the mesh share."""

import json
from typing import Final

from services.chassis import limits, names

MESSAGE_BYTES: Final = limits.BODY_BYTES + limits.BODY_OVERHEAD_BYTES
OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # A dead peer is noticed within half a minute even while nothing is said.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)
CLIENT_OPTIONS: Final = (
    *OPTIONS,
    # A room that was down for long is found again within seconds, not minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
STICKY_OPTIONS: Final = (
    *CLIENT_OPTIONS,
    (
        "grpc.service_config",
        json.dumps(
            {
                "loadBalancingConfig": [
                    {"ring_hash_experimental": {"requestHashHeader": names.SESSION_HEADER}}
                ]
            }
        ),
    ),
)
"""Of all replicas that are there, calls with the same session go to the same; others to any."""
SERVER_OPTIONS: Final = (
    *OPTIONS,
    ("grpc.so_reuseport", 0),
    # Clients ping as often as OPTIONS says; a server that counts that as abuse would cut them off.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
