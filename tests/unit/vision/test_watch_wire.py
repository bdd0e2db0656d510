from datetime import UTC, datetime, timedelta

import protovalidate
import pytest
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import watch_pb2 as pb

from services.chassis import limits
from services.engine.domain import Answer, FinishReason, Sampling
from services.vision import watch_wire as wire
from services.vision.domain import Wish
from services.vision.live.domain import (
    Age,
    Counts,
    Name,
    Notice,
    Piece,
    Reason,
    SentFrame,
    Settings,
    Spread,
    Still,
    Wanted,
    Whole,
)

DAY = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
WHOLE = Whole(
    number=3,
    asked=2,
    answer=Answer("seen", FinishReason.LENGTH, input_tokens=5, output_tokens=2, model="m"),
    frames=(Name("a", DAY), Name("b", DAY + timedelta(seconds=1))),
    age=Age(timedelta(seconds=2), timedelta(seconds=1)),
    counts=Counts(dropped=4, skipped=5),
    processing_time=timedelta(seconds=0.5),
)


def test_settings_that_say_nothing_are_the_defaults() -> None:
    assert wire.asked_from_pb(pb.WatchRequest(settings=pb.WatchSettings())) == Settings()


def test_settings_are_read_whole() -> None:
    settings = pb.WatchSettings(
        prompt="safe?",
        window_frames=4,
        language="es",
        spread=pb.WATCH_SPREAD_SINCE_LAST_REPLY,
        cadence=timedelta(seconds=1.5),
        change_threshold=0,
        deltas=True,
        on_demand=True,
        sampling=chat_pb2.Sampling(max_tokens=9),
    )
    assert wire.asked_from_pb(pb.WatchRequest(settings=settings)) == Settings(
        Wish("safe?", "es", sampling=Sampling(9)), 4, Spread.SINCE_LAST_REPLY, 1.5, 0.0, True, True
    )


@pytest.mark.parametrize("spread", pb.WatchSpread.values())
def test_every_spread_is_known(spread: pb.WatchSpread) -> None:
    settings = pb.WatchSettings(spread=spread)
    read = wire.asked_from_pb(pb.WatchRequest(settings=settings))
    assert isinstance(read, Settings)
    assert isinstance(read.spread, Spread)


def test_a_frame_is_read_with_the_time_that_it_says_if_there_is_such_a_time() -> None:
    frame = image_pb2.Image(data=b"x", id="a", capture_time=DAY)
    assert wire.asked_from_pb(pb.WatchRequest(frame=frame)) == SentFrame(b"x", "a", DAY)
    for seconds in (-(1 << 60), 1 << 60):
        frame.capture_time.seconds = seconds
        assert wire.asked_from_pb(pb.WatchRequest(frame=frame)) == SentFrame(b"x", "a", None)


def test_a_piece_names_its_answer() -> None:
    assert wire.reply_to_pb(Piece(3, 2, "se")) == pb.WatchResponse(answer=3, settings=2, delta="se")


def test_an_answer_is_written_with_all_that_it_rests_on() -> None:
    written = wire.reply_to_pb(WHOLE)
    assert (written.answer, written.settings, written.text) == (3, 2, "seen")
    assert (written.done, written.unchanged, written.delta) == (True, False, "")
    assert list(written.frame_ids) == ["a", "b"]
    assert [it.ToDatetime(UTC) for it in written.capture_times] == [
        DAY,
        DAY + timedelta(seconds=1),
    ]
    assert written.age.ToTimedelta() == timedelta(seconds=2)
    assert written.age_in_room.ToTimedelta() == timedelta(seconds=1)
    assert (written.dropped_frames, written.skipped_frames) == (4, 5)
    assert written.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    assert (written.usage.input_tokens, written.usage.output_tokens) == (5, 2)
    assert written.usage.processing_time.ToTimedelta() == timedelta(seconds=0.5)
    assert written.model == "m"


def test_the_word_that_an_answer_holds_repeats_it_and_counts_anew() -> None:
    age = Age(timedelta(seconds=7), timedelta(seconds=6))
    written = wire.reply_to_pb(Still(WHOLE, age, Counts(0, 9)))
    assert (written.answer, written.text, list(written.frame_ids)) == (3, "seen", ["a", "b"])
    assert (written.done, written.unchanged) == (False, True)
    assert written.age.ToTimedelta() == timedelta(seconds=7)
    assert (written.dropped_frames, written.skipped_frames) == (0, 9)
    assert not written.HasField("usage")


@pytest.mark.parametrize("reason", Reason)
def test_every_notice_says_why(reason: Reason) -> None:
    notice = Notice(reason, "what; do this", "CODE", timedelta(seconds=2), "f", 3, 1)
    written = wire.reply_to_pb(notice)
    assert (written.answer, written.settings) == (3, 1)
    assert pb.WatchNoticeReason.Name(written.notice.reason).endswith(reason.name)
    assert (written.notice.message, written.notice.code) == ("what; do this", "CODE")
    assert written.notice.retry_after.ToTimedelta() == timedelta(seconds=2)
    assert written.notice.frame_id == "f"
    assert not wire.reply_to_pb(Notice(reason, "", "")).notice.HasField("retry_after")


def test_the_contract_and_the_limits_name_the_same_largest_frame() -> None:
    for size, refused in ((limits.FRAME_BYTES, False), (limits.FRAME_BYTES + 1, True)):
        request = pb.WatchRequest(frame=image_pb2.Image(data=bytes(size)))
        assert bool(protovalidate.collect_violations(request)) is refused


def test_what_is_wanted_is_told_and_nothing_else() -> None:
    told = wire.reply_to_pb(Wanted(3, at_once=True))
    assert told == pb.WatchResponse(wanted=pb.WatchWanted(frames=3, at_once=True))


def test_that_another_frame_follows_is_read() -> None:
    request = pb.WatchRequest(frame=image_pb2.Image(data=b"x"), more=True)
    assert wire.asked_from_pb(request) == SentFrame(b"x", more=True)
