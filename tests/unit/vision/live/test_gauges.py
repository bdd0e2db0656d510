from datetime import UTC, datetime, timedelta

import pytest

from services.chassis import names
from services.engine.domain import Answer, FinishReason
from services.vision.live.domain import Age, Counts, Name, Notice, Piece, Reason, Still, Whole
from services.vision.live.gauges import Gauges
from tests.doubles.meters import metering

AGE = Age(timedelta(seconds=9), timedelta(seconds=0.25))
WHOLE = Whole(
    number=1,
    asked=1,
    answer=Answer("seen", FinishReason.STOP, 1, 2, "m"),
    frames=(Name("a", datetime(2026, 1, 2, tzinfo=UTC)),) * 2,
    age=AGE,
    counts=Counts(dropped=4, skipped=0),
    processing_time=timedelta(seconds=0.5),
)


def test_what_becomes_of_frames_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with metering(monkeypatch) as meters:
        gauges = Gauges(streams=lambda: 3, held=lambda: 700)
        for reply in (
            WHOLE,
            WHOLE,
            Still(WHOLE, AGE, Counts(dropped=1, skipped=5)),
            Notice(Reason.FRAME_REFUSED, "no picture", "IMAGE_UNKNOWN"),
            Notice(Reason.OVERLOADED, "wait", "OVERLOADED"),
            Piece(1, 1, "se"),
        ):
            gauges.told(reply)
        gauges.refused()
        assert meters.read() == {
            (names.WATCH_STREAMS,): 3,
            (names.WATCH_HELD,): 700,
            (names.WATCH_REFUSED,): 1,
            (names.WATCH_FRAMES, "answered"): 4,
            (names.WATCH_FRAMES, "dropped"): 9,
            (names.WATCH_FRAMES, "skipped"): 5,
            (names.WATCH_FRAMES, "refused"): 1,
            (names.WATCH_NOTICES, "frame_refused"): 1,
            (names.WATCH_NOTICES, "overloaded"): 1,
            (names.WATCH_AGE,): 2,
        }
