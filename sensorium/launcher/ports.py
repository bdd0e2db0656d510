"""Ports: free ones for the inside of the mesh, and whether the one of the edge can be had."""

import errno
import random
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from sensorium.errors import Trouble

INSIDE: Final = range(20_000, 30_000)
"""Below the ports that Linux gives to outgoing connections, so that none is lost between finding
and using it.
"""


def free(kept: int = 0) -> Iterator[int]:
    """Give free ports of loopback, each once and never the one that is kept for the edge."""
    for port in random.sample(INSIDE, len(INSIDE)):
        if port == kept:
            continue
        try:
            _bind("127.0.0.1", port)
        except OSError:
            continue
        yield port


def edge(host: str, port: int) -> int:
    """Give the edge's port, a free one for 0. Raises `Trouble` when it cannot be had."""
    if not port:
        return next(free())
    try:
        _bind(host, port)
    except OSError as failed:
        if failed.errno == errno.EADDRINUSE:
            reason = (
                f"port {port} is taken by another program; stop it or choose another with --port"
            )
        else:
            reason = f"cannot listen on {host}:{port}: {failed.strerror}; choose --host and --port"
        raise Trouble(reason) from None
    return port


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address, given as host:port."""
    try:
        return ip_address(address.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen()
