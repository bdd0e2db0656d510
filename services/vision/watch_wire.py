"""Between the contract of `Watch` and the words of streams of frames. Total, and without I/O."""

from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from mesh.types.v1 import image_pb2
from mesh.vision.v1 import watch_pb2 as pb

from services.engine import wire as chat
from services.vision.domain import Wish
from services.vision.live.domain import (
    Notice,
    Piece,
    Reason,
    Reply,
    SentFrame,
    Settings,
    Spread,
    Still,
    Wanted,
    Whole,
)

_SPREADS: Final = {
    pb.WATCH_SPREAD_UNSPECIFIED: Spread.NEWEST,
    pb.WATCH_SPREAD_NEWEST: Spread.NEWEST,
    pb.WATCH_SPREAD_SINCE_LAST_REPLY: Spread.SINCE_LAST_REPLY,
}
_REASONS: Final = {
    Reason.OVERLOADED: pb.WATCH_NOTICE_REASON_OVERLOADED,
    Reason.FRAME_REFUSED: pb.WATCH_NOTICE_REASON_FRAME_REFUSED,
    Reason.ENGINE_DOWN: pb.WATCH_NOTICE_REASON_ENGINE_DOWN,
    Reason.ANSWER_REFUSED: pb.WATCH_NOTICE_REASON_ANSWER_REFUSED,
}


def asked_from_pb(request: pb.WatchRequest) -> Settings | SentFrame:
    """Read what a watcher sends."""
    if request.HasField("settings"):
        return _settings_from_pb(request.settings)
    frame = request.frame
    return SentFrame(frame.data, frame.id, _time_from_pb(frame), request.more)


def _settings_from_pb(settings: pb.WatchSettings) -> Settings:
    named = settings.HasField("change_threshold")
    return Settings(
        wish=Wish(
            prompt=settings.prompt,
            language=settings.language,
            sampling=chat.sampling_from_pb(settings.sampling),
        ),
        window=settings.window_frames or 1,
        spread=_SPREADS[settings.spread],
        cadence=settings.cadence.ToTimedelta().total_seconds(),
        threshold=settings.change_threshold if named else None,
        deltas=settings.deltas,
        on_demand=settings.on_demand,
    )


def _time_from_pb(frame: image_pb2.Image) -> datetime | None:
    """When it was captured; a time that there is not is as unknown as none."""
    if not frame.HasField("capture_time"):
        return None
    try:
        return frame.capture_time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None


def reply_to_pb(reply: Reply) -> pb.WatchResponse:
    """Write a reply."""
    match reply:
        case Piece():
            return pb.WatchResponse(answer=reply.number, settings=reply.asked, delta=reply.text)
        case Whole():
            written = _answer_to_pb(reply)
            written.done = True
            written.finish_reason = chat.finish_reason_to_pb(reply.answer.finish_reason)
            written.usage.CopyFrom(
                chat.usage_to_pb(
                    reply.answer.input_tokens, reply.answer.output_tokens, reply.processing_time
                )
            )
            written.model = reply.answer.model
            return written
        case Still():
            written = _answer_to_pb(reply.last, since=reply)
            written.unchanged = True
            return written
        case Notice():
            return pb.WatchResponse(
                answer=reply.number, settings=reply.asked, notice=_notice_to_pb(reply)
            )
        case Wanted():
            return pb.WatchResponse(
                wanted=pb.WatchWanted(frames=reply.frames, at_once=reply.at_once)
            )
        case _:
            assert_never(reply)


def _answer_to_pb(whole: Whole, *, since: Still | None = None) -> pb.WatchResponse:
    told = since or whole
    return pb.WatchResponse(
        answer=whole.number,
        settings=whole.asked,
        text=whole.answer.text,
        frame_ids=[it.id for it in whole.frames],
        capture_times=[_time_to_pb(it.captured) for it in whole.frames],
        age=_span_to_pb(told.age.since_capture),
        age_in_room=_span_to_pb(told.age.since_receipt),
        dropped_frames=told.counts.dropped,
        skipped_frames=told.counts.skipped,
    )


def _notice_to_pb(notice: Notice) -> pb.WatchNotice:
    after = notice.retry_after
    return pb.WatchNotice(
        reason=_REASONS[notice.reason],
        message=notice.message,
        code=notice.code,
        retry_after=None if after is None else _span_to_pb(after),
        frame_id=notice.frame_id,
    )


def _time_to_pb(time: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(time)
    return written


def _span_to_pb(span: timedelta) -> Duration:
    written = Duration()
    written.FromTimedelta(span)
    return written
