import base64
import json
from datetime import timedelta

import pytest
from mesh.vision.v1 import watch_pb2 as pb

from gateway.bridge.dialects import vila
from gateway.bridge.session import Converse, Feed, Leave, Say
from services.chassis import errors
from tests.doubles.machines import HandClock

JPEG = b"\xff\xd8\xff\xe0 pixels"
TEXT = base64.b64encode(JPEG).decode()
JSON = json.dumps({"timestamp": 1_700_000_000.25, "frame": TEXT})


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def session(clock):
    return vila.sockets(prompt="What?", clock=clock)[0].open({})


def test_the_first_frame_opens_a_watch_of_the_five_newest(session):
    opening, fed = session.text(TEXT)
    assert (type(opening), opening.method, opening.keeps) == (Converse, "Watch", 5)
    settings = opening.request.settings
    assert (settings.prompt, settings.window_frames) == ("What?", 5)
    assert settings.spread == pb.WATCH_SPREAD_NEWEST
    assert settings.sampling.max_tokens == 48
    assert fed.request.frame.data == JPEG
    assert [type(it) for it in session.text(TEXT)] == [Feed]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f" {TEXT}\n",
        f"{TEXT[:8]}\n{TEXT[8:]}",
        f"data:image/jpeg;base64,{TEXT}",
        JSON,
        json.dumps({"frame": TEXT}),
        json.dumps({"frame": f"data:image/jpeg;base64,{TEXT}"}),
        json.dumps({"frame": JSON}),
        f"data:image/jpeg;base64,{JSON}",
        json.dumps({"timestamp": "yesterday", "frame": TEXT}),
        f'{{"timestamp": NaN, "frame": "{TEXT}"}}',
        f'{{"timestamp": 1e300, "frame": "{TEXT}"}}',
        f'{{"timestamp": -1, "frame": "{TEXT}"}}',
    ],
)
def test_a_frame_is_read_in_every_shape_that_clients_send(session, text):
    *_, fed = session.text(text)
    assert fed.request.frame.data == JPEG


def test_the_time_of_a_frame_is_told(session):
    *_, fed = session.text(JSON)
    assert fed.request.frame.capture_time.ToNanoseconds() == 1_700_000_000_250_000_000
    *_, fed = session.text(TEXT)
    assert not fed.request.frame.HasField("capture_time")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "no base64!",
        '{"frame": 7}',
        '{"frame": ""}',
        '{"frame": "no base64!"}',
        json.dumps({"frame": json.dumps({"frame": json.dumps({"frame": TEXT})})}),
        "{" * 100_000,
        '{"frame":' * 10_000,
        "[" * 100_000,
        "data:,",
        "é",
        base64.b64encode(bytes(vila.FRAME_BYTES + 1)).decode(),
    ],
)
def test_what_is_no_frame_is_passed_over(session, text):
    assert list(session.text(text)) == []
    assert len(list(session.text(TEXT))) == 2


def test_a_frame_may_come_as_bytes_too(session):
    *_, fed = session.binary(JPEG)
    assert fed.request.frame.data == JPEG
    *_, fed = session.binary(JSON.encode())
    assert fed.request.frame.data == JPEG
    assert list(session.binary(b"")) == list(session.binary(b"{\xff")) == []


def test_an_answer_is_a_vlm_reply_in_place_of_an_unsent_one(session):
    (reply,) = session.told(pb.WatchResponse(text="A man.", done=True))
    assert reply == Say('{"vlm_reply": "A man."}', instead="vlm_reply")


def test_an_answer_that_still_holds_is_told_again(session):
    (reply,) = session.told(pb.WatchResponse(text="A man.", unchanged=True))
    assert json.loads(reply.data) == {"vlm_reply": "A man."}


def test_pieces_and_notices_are_not_told(session):
    assert list(session.told(pb.WatchResponse(delta="A"))) == []
    notice = pb.WatchNotice(reason=pb.WATCH_NOTICE_REASON_ENGINE_DOWN, message="it is down")
    assert list(session.told(pb.WatchResponse(notice=notice))) == []


def test_a_watch_that_breaks_is_taken_up_with_a_later_frame(session, clock):
    list(session.text(TEXT))
    for wait in (1, 2, 5, 10, 30, 30):
        assert list(session.ended(errors.Unavailable("nobody is there"))) == []
        assert list(session.text(TEXT)) == []
        clock.seconds += wait
        assert [type(it) for it in session.text(TEXT)] == [Converse, Feed]
    list(session.told(pb.WatchResponse(text="A man.", done=True)))
    list(session.ended(None))
    clock.seconds += 1
    assert [type(it) for it in session.text(TEXT)] == [Converse, Feed]


def test_a_room_says_when_to_come_again(session, clock):
    list(session.text(TEXT))
    list(session.ended(errors.Exhausted("too many", retry_after=timedelta(seconds=7))))
    clock.seconds += 6
    assert list(session.text(TEXT)) == []
    clock.seconds += 1
    assert [type(it) for it in session.text(TEXT)] == [Converse, Feed]


def test_a_client_without_frames_gives_its_watch_back(session):
    assert session.patience is None
    list(session.text(TEXT))
    assert session.patience == 60
    assert list(session.ticked()) == [Leave()]
    assert session.patience is None
    assert [type(it) for it in session.text(TEXT)] == [Converse, Feed]
