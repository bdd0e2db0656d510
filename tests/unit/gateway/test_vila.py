import base64
import json
from datetime import UTC, timedelta

import pytest
from mesh.vision.v1 import watch_pb2 as pb

from gateway.bridge.dialects import vila
from gateway.bridge.session import Converse, Feed, Leave, Say
from services.chassis import errors, limits
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


WANTED = pb.WatchResponse(wanted=pb.WatchWanted(frames=1))


def at_once(count):
    return pb.WatchResponse(wanted=pb.WatchWanted(frames=count, at_once=True))


def frames(actions):
    """The frames that are fed, and whether another follows each."""
    return [(it.request.frame, it.request.more) for it in actions if isinstance(it, Feed)]


def pictures(actions):
    return [frame.data for frame, _ in frames(actions)]


def encoded(data):
    return base64.b64encode(data).decode()


def test_the_first_frame_opens_a_watch_of_the_five_newest_on_demand(session):
    (opening,) = session.text(TEXT)
    assert (type(opening), opening.method) == (Converse, "Watch")
    settings = opening.request.settings
    assert (settings.prompt, settings.window_frames) == ("What?", 5)
    assert settings.spread == pb.WATCH_SPREAD_NEWEST
    assert settings.sampling.max_tokens == 48
    assert settings.on_demand
    assert list(session.text(TEXT)) == []


def test_a_frame_is_sent_when_it_is_wanted_and_only_then(session):
    for it in (b"1", b"2"):
        list(session.text(encoded(it)))
    assert pictures(session.told(WANTED)) == [b"2"]
    assert list(session.text(encoded(b"3"))) == []
    assert pictures(session.told(WANTED)) == [b"3"]
    assert list(session.told(WANTED)) == []
    assert pictures(session.text(encoded(b"4"))) == [b"4"]
    assert list(session.text(encoded(b"5"))) == []


def test_an_answer_gets_the_newest_frames_at_once_also_those_sent_before(session):
    for it in (b"1", b"2", b"3"):
        list(session.text(encoded(it)))
    list(session.told(WANTED))
    fed = frames(session.told(at_once(5)))
    assert [(it.data, more) for it, more in fed] == [(b"1", True), (b"2", True), (b"3", False)]
    for it in range(4, 9):
        list(session.text(encoded(b"%d" % it)))
    assert pictures(session.told(at_once(5))) == [b"4", b"5", b"6", b"7", b"8"]
    assert pictures(session.told(at_once(2))) == [b"7", b"8"]


def test_what_turns_out_to_be_no_frame_is_left_out(session):
    list(session.text(encoded(b"1")))
    list(session.told(WANTED))
    for text in ('{"frame": 7}', f"{TEXT}!"):
        list(session.text(text))
    assert list(session.told(WANTED)) == []
    assert list(session.text(f"{TEXT}!")) == []
    assert pictures(session.text(encoded(b"2"))) == [b"2"]
    assert pictures(session.told(at_once(5))) == [b"1", b"2"]


def test_what_frames_take_is_known_and_all_but_the_newest_can_be_shed(session):
    for it in (b"1", b"2", b"3"):
        list(session.text(encoded(it)))
    assert session.held == 3 * len(encoded(b"1"))
    assert list(session.shed()) == []
    assert session.held == len(encoded(b"1"))
    assert pictures(session.told(at_once(5))) == [b"3"]


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
    list(session.text(text))
    assert pictures(session.told(WANTED)) == [JPEG]


def test_the_time_of_a_frame_is_told_or_else_that_at_which_it_came(session, clock):
    list(session.text(JSON))
    ((frame, _),) = frames(session.told(WANTED))
    assert frame.capture_time.ToNanoseconds() == 1_700_000_000_250_000_000
    list(session.text(TEXT))
    came = clock.now()
    clock.seconds += 5
    ((frame, _),) = frames(session.told(WANTED))
    assert frame.capture_time.ToDatetime(UTC) == came


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
        base64.b64encode(bytes(limits.FRAME_BYTES + 1)).decode(),
    ],
)
def test_what_is_no_frame_is_passed_over(session, text):
    list(session.text(text))
    assert pictures(session.told(at_once(5))) == []
    list(session.text(TEXT))
    assert pictures(session.told(at_once(5))) == [JPEG]


def test_what_plainly_is_no_frame_takes_no_frames_place(session):
    list(session.text(TEXT))
    for _ in range(9):
        for text in ("", "no base64!", "{}", "data:,", "é"):
            assert list(session.text(text)) == []
    assert pictures(session.told(at_once(5))) == [JPEG]


def test_a_frame_may_come_as_bytes_too(session):
    list(session.binary(JPEG))
    list(session.binary(JSON.encode()))
    list(session.binary(b""))
    list(session.binary(b"{\xff"))
    list(session.binary(b'{"frame": "\xff"}'))
    assert pictures(session.told(at_once(5))) == [JPEG, JPEG]


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
        assert [type(it) for it in session.text(TEXT)] == [Converse]
    list(session.told(pb.WatchResponse(text="A man.", done=True)))
    list(session.ended(None))
    clock.seconds += 1
    assert [type(it) for it in session.text(TEXT)] == [Converse]


def test_a_room_says_when_to_come_again(session, clock):
    list(session.text(TEXT))
    list(session.ended(errors.Exhausted("too many", retry_after=timedelta(seconds=7))))
    clock.seconds += 6
    assert list(session.text(TEXT)) == []
    clock.seconds += 1
    assert [type(it) for it in session.text(TEXT)] == [Converse]


def test_a_client_without_frames_gives_its_watch_back(session):
    assert session.patience is None
    list(session.text(TEXT))
    assert session.patience == 60
    assert list(session.ticked()) == [Leave()]
    assert (session.patience, session.held) == (None, 0)
    assert [type(it) for it in session.text(TEXT)] == [Converse]
