from gateway.bridge.gauges import Gauges
from gateway.bridge.session import Code
from services.chassis import names
from tests.doubles.meters import metering


def test_sockets_and_their_messages_are_counted(monkeypatch):
    with metering(monkeypatch) as meters:
        gauges = Gauges(opened=lambda: {"/": 2, "/vila": 0}, held=lambda: 700)
        counting = gauges.counting("/")
        for _ in range(3):
            counting.came()
        counting.passed()
        gauges.closed(Code.POLICY)
        assert meters.read() == {
            (names.SOCKETS_OPEN, "/"): 2,
            (names.SOCKETS_OPEN, "/vila"): 0,
            (names.SOCKETS_HELD,): 700,
            (names.SOCKETS_MESSAGES, "/"): 3,
            (names.SOCKETS_PASSED, "/"): 1,
            (names.SOCKETS_CLOSED, "1008"): 1,
        }
