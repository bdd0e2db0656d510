import itertools
import socket

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import ports


def test_a_taken_port_is_told_with_the_way_out():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(Trouble, match=f"port {taken} is taken .* with --port"):
            ports.edge("127.0.0.1", taken)


def test_a_port_whose_last_user_has_just_gone_can_be_had():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    assert ports.edge("127.0.0.1", port) == port


def test_a_host_that_is_not_ours_is_told():
    with pytest.raises(Trouble, match=r"cannot listen on 192\.0\.2\.1:8080"):
        ports.edge("192.0.2.1", 8080)


def test_port_zero_takes_a_free_one():
    assert ports.edge("127.0.0.1", 0) in ports.INSIDE


def test_free_ports_are_given_once_and_never_the_one_kept(monkeypatch):
    monkeypatch.setattr(ports, "INSIDE", range(24_000, 24_010))
    given = list(ports.free(kept=24_003))
    assert len(given) == len(set(given))
    assert 24_003 not in given


def test_a_port_in_use_is_not_given_out(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(ports, "INSIDE", range(taken, taken + 3))
        assert taken not in itertools.islice(ports.free(), 2)


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1:80", True),
        ("[::1]:80", True),
        ("::1:80", True),
        ("0.0.0.0:80", False),
        ("mesh.example:80", False),
    ],
)
def test_loopback_is_known_by_its_address(address, is_loopback):
    assert ports.is_loopback(address) is is_loopback
