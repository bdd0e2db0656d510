import json
from datetime import timedelta

import pytest
from mesh.jobs.v1 import session_service_pb2 as pb

from gateway.bridge.dialects import local_models_socket
from gateway.bridge.session import Close, Converse, Feed, Leave, Say
from services.chassis import errors
from tests.doubles.machines import HandClock

CONFIG = {"type": "config", "session_id": "talk", "sample_rate": 16_000, "encoding": "pcm16"}
END = '{"type": "end_of_stream"}'
BROKEN = errors.Unavailable("the stream broke off")


class Player:
    """Plays a client and a room, and notes what each is told."""

    def __init__(self):
        self.clock = HandClock()
        self.session = local_models_socket.socket(clock=self.clock).open({})
        self.said = []
        self.calls = []
        self.fed = []
        self.closed = None
        self.is_left = False

    def do(self, actions):
        for action in actions:
            match action:
                case Converse():
                    self.calls.append(action)
                    self.fed = []
                    self.is_left = False
                case Feed():
                    assert not self.is_left
                    self.fed.append(action.request)
                case Say():
                    self.said.append(json.loads(action.data))
                case Close():
                    self.closed = action
                case Leave():
                    self.is_left = True

    def config(self, **fields):
        self.do(self.session.text(json.dumps(CONFIG | fields)))

    def audio(self, data):
        self.do(self.session.binary(data))

    def end(self):
        self.do(self.session.text(END))

    def told(self, **answer):
        self.do(self.session.told(pb.AnalyzeAudioResponse(**answer)))

    def ready(self, offset=0, session_id="talk"):
        opened = pb.SessionReady(session_id=session_id, resume_token="t", next_offset=offset)
        opened.kept_for.FromTimedelta(timedelta(seconds=90))
        self.told(ready=opened)

    def acknowledge(self, offset):
        self.told(acknowledged={"offset": offset})

    def analyse(self):
        self.told(analysis={"transcript": {"text": "hello"}, "summary": "a greeting"})
        self.do(self.session.ended(None))

    @property
    def settings(self):
        return self.calls[-1].request.settings

    @property
    def heard(self):
        return b"".join(it.chunk for it in self.fed)

    @property
    def is_ended(self):
        return bool(self.fed) and self.fed[-1].HasField("end")

    def said_of(self, kind):
        return [it for it in self.said if it["type"] == kind]


@pytest.fixture
def play():
    return Player()


def test_a_session_is_audio_in_and_a_final_result_out_and_nothing_else_unasked(play):
    play.config()
    assert play.settings.session_id == "talk"
    play.audio(b"before ready")
    assert play.fed == []
    play.ready()
    play.audio(b" and after")
    assert play.heard == b"before ready and after"
    assert [it.chunk_offset for it in play.fed] == [0, 12]
    play.end()
    assert play.is_ended
    play.acknowledge(22)
    play.told(transcript={"text": "hello"})
    play.analyse()
    (final,) = play.said
    assert (final["type"], final["session_id"], final["text"]) == ("final_result", "talk", "hello")
    assert final["analysis"]["summary"] == "a greeting"


def test_a_client_that_wants_it_is_told_how_far_the_analysis_is(play):
    play.config(progress=True)
    play.ready()
    play.end()
    play.told(progress={"asked": 5, "answered": 2})
    assert play.said == [{"type": "progress", "session_id": "talk", "asked": 5, "answered": 2}]
    play.analyse()
    play.config(progress=False)
    play.ready()
    play.end()
    play.told(progress={"asked": 5, "answered": 2})
    assert [it["type"] for it in play.said] == ["progress", "final_result"]


def test_a_client_that_waits_is_greeted_once(play):
    assert play.session.patience == 1
    play.do(play.session.ticked())
    assert play.said == [{"type": "ready"}]
    assert play.session.patience is None


def test_a_client_that_speaks_first_is_not_greeted(play):
    play.config()
    assert play.session.patience is None


def test_partial_results_tell_all_that_was_heard_and_what_may_change(play):
    play.config()
    play.ready()
    play.told(partial_text={"committed": "good", "tentative": " mourning"})
    play.told(segment={"text": "Good morning."})
    play.told(partial_text={})
    play.told(partial_text={"committed": "How are", "tentative": " you"})
    assert [(it["text"], it["tentative"]) for it in play.said] == [
        ("good mourning", "mourning"),
        ("Good morning.", ""),
        ("Good morning. How are you", "you"),
    ]


def test_a_partial_result_stays_small_and_takes_the_place_of_an_unread_one(play):
    play.config()
    play.ready()
    for _ in range(100):
        play.told(segment={"text": "word " * 100})
    (said,) = play.session.told(pb.AnalyzeAudioResponse(partial_text={"committed": "end"}))
    assert said.instead == "partial_result"
    assert len(said.data) < 2_200
    assert json.loads(said.data)["text"].endswith("end")


def test_silence_is_no_partial_result(play):
    play.config()
    play.ready()
    play.told(partial_text={})
    assert play.said == []


def test_audio_before_its_config_is_kept_for_it(play):
    play.audio(b"early ")
    assert play.calls == []
    play.config()
    play.ready()
    play.audio(b"late")
    assert play.heard == b"early late"


def test_too_much_audio_before_its_config_is_left_out_and_told(play):
    for _ in range(6):
        play.audio(bytes(1024 * 1024))
    assert [it["type"] for it in play.said] == ["warning"]
    play.config()
    play.ready()
    for offset in range(0, 6):
        play.acknowledge(offset * 1024 * 1024)
    assert len(play.heard) == 5 * 1024 * 1024


def test_an_end_without_a_config_is_a_session_of_its_own(play):
    play.audio(b"early")
    play.end()
    play.ready(session_id="named by the room")
    assert (play.heard, play.is_ended) == (b"early", True)
    play.analyse()
    assert play.said[0]["session_id"] == "named by the room"


def test_an_end_of_nothing_is_an_error_that_says_what_to_send(play):
    play.end()
    assert play.said[0]["type"] == "error"
    assert "config" in play.said[0]["message"]


def test_what_is_no_message_is_a_warning_and_nothing_more(play):
    play.config()
    play.ready()
    for sent in ("hello", '{"type": "hello"}', '{"type": "audio_chunk", "data_b64": "!"}'):
        play.do(play.session.text(sent))
    play.audio(b"heard")
    assert [it["type"] for it in play.said] == ["warning"] * 3
    assert play.heard == b"heard"


def test_sessions_follow_one_another_and_the_next_waits_for_the_one_before(play):
    play.config()
    play.ready()
    play.audio(b"first")
    play.end()
    play.config(session_id="second")
    play.audio(b"second")
    play.end()
    play.audio(b"third, without a config")
    assert (len(play.calls), play.heard) == (1, b"first")
    play.analyse()
    assert (len(play.calls), play.settings.session_id) == (2, "second")
    play.ready(session_id="second")
    assert (play.heard, play.is_ended) == (b"second", True)
    play.analyse()
    assert play.settings.session_id == "second"
    play.ready(session_id="second")
    assert (play.heard, play.is_ended) == (b"third, without a config", False)
    assert [it["session_id"] for it in play.said_of("final_result")] == ["talk", "second"]


def test_the_end_twice_is_the_end_once(play):
    play.config()
    play.ready()
    play.end()
    play.end()
    play.analyse()
    assert [it["type"] for it in play.said] == ["final_result"]
    assert len(play.calls) == 1


def test_other_settings_in_a_session_are_left_out_and_told(play):
    play.config()
    play.config()
    assert play.said == []
    play.config(language="en")
    assert [it["type"] for it in play.said] == ["warning"]
    assert len(play.calls) == 1


def test_a_stream_that_breaks_off_is_taken_up_where_audio_was_acknowledged(play):
    play.config()
    play.ready()
    play.audio(b"0123456789")
    play.acknowledge(4)
    play.told(segment={"text": "zero"})
    play.do(play.session.ended(BROKEN))
    play.audio(b"ab")
    call = play.calls[-1]
    assert (call.after, call.keeps) == (0.2, None)
    asked = play.settings
    assert (asked.session_id, asked.resume_token) == ("talk", "t")
    assert (asked.acknowledged_offset, asked.received_segments) == (4, 1)
    assert play.fed == []
    play.ready(offset=7)
    assert [(it.chunk_offset, it.chunk) for it in play.fed] == [(7, b"789ab")]


def test_an_end_that_was_not_taken_is_told_again(play):
    play.config()
    play.ready()
    play.audio(b"01")
    play.end()
    play.do(play.session.ended(BROKEN))
    play.ready(offset=2)
    assert (play.heard, play.is_ended) == (b"", True)
    play.analyse()
    assert [it["type"] for it in play.said] == ["final_result"]


def test_a_room_that_stays_away_is_waited_for_and_given_up_in_the_end(play):
    play.config()
    play.ready()
    play.audio(b"0123")
    waits = []
    while not play.said:
        play.do(play.session.ended(BROKEN))
        waits.append(play.calls[-1].after)
        play.clock.seconds += 10
    assert waits[:6] == [0.2, 0.5, 1, 2, 5, 5]
    assert 9 <= len(waits) <= 11
    assert play.said[0] == {"type": "error", "code": "UNAVAILABLE", "message": str(BROKEN)}
    play.audio(b"lost")
    play.end()
    assert [it["type"] for it in play.said] == ["error", "error"]


def test_a_room_that_is_never_there_is_given_up_sooner(play):
    play.config()
    tries = 0
    while not play.said:
        play.do(play.session.ended(BROKEN))
        play.clock.seconds += 2
        tries += 1
    assert 5 <= tries <= 7


def test_a_room_that_answers_again_begins_to_count_anew(play):
    play.config()
    play.ready()
    for i in range(100):
        play.do(play.session.ended(BROKEN))
        assert play.calls[-1].after == 0.2
        play.clock.seconds += 10
        play.ready(offset=i)
        play.acknowledge(i)
    assert play.said == []


def test_silence_does_not_end_a_session_until_it_lasts_too_long(play):
    play.config()
    play.ready()
    for minute in range(1, 6):
        play.clock.seconds += 60
        play.do(play.session.ended(errors.TimedOut("nothing was sent for 60 seconds")))
        assert play.calls[-1].after == 0
        play.ready()
        assert play.is_ended == (minute == 5)


def test_too_many_sessions_is_told_and_closes_the_socket(play):
    play.config()
    play.do(play.session.ended(errors.Exhausted("too many people speak at once")))
    assert play.said[0]["code"] == "EXHAUSTED"
    assert play.closed.code == 1013


def test_a_session_that_is_too_long_is_told_and_closed_as_too_large(play):
    play.config()
    play.ready()
    too_long = errors.InvalidInput.field(
        "chunk", "the session lasts too long", code="AUDIO_TOO_LONG"
    )
    play.do(play.session.ended(too_long))
    assert play.said[0]["message"].startswith("audio: the session lasts too long")
    assert play.closed.code == 1009


def test_a_config_that_is_refused_may_be_followed_by_another(play):
    play.config(sample_rate=7)
    wrong = errors.InvalidInput.field("settings.sample_rate_hz", "must be at least 8000")
    play.do(play.session.ended(wrong))
    assert play.said[0]["message"] == "sample_rate: must be at least 8000"
    play.audio(b"heard by nobody")
    play.end()
    assert play.said[1]["message"] == play.said[0]["message"]
    play.config()
    play.ready()
    play.audio(b"heard")
    assert play.heard == b"heard"
    assert play.closed is None


@pytest.mark.parametrize("wrong", [{"encoding": "mp9"}, {"sample_rate": "much"}, {"hints": "x"}])
def test_what_is_sent_under_settings_that_cannot_be_is_not_heard_under_others(play, wrong):
    play.audio(b"early")
    play.config(**wrong)
    play.audio(b"heard by nobody")
    play.end()
    told = play.said[0]
    assert (told["type"], told["message"].split(":")[0]) == ("error", next(iter(wrong)))
    assert play.said[1:] == [told]
    play.config()
    play.ready()
    play.audio(b"heard")
    assert play.heard == b"heard"


def test_settings_that_cannot_be_amid_a_session_leave_it_as_it_is(play):
    play.config()
    play.ready()
    play.config(encoding="mp9")
    assert play.said[0]["type"] == "warning"
    play.audio(b"heard")
    assert play.heard == b"heard"


def test_a_resumable_client_is_told_its_token_and_what_is_held(play):
    play.config(resumable=True)
    play.ready()
    play.audio(b"01234567")
    play.acknowledge(8)
    play.do(play.session.ended(BROKEN))
    play.ready(offset=8)
    assert play.said == [
        {
            "type": "session",
            "session_id": "talk",
            "resume_token": "t",
            "next_offset": 0,
            "kept_seconds": 90.0,
        },
        {"type": "acknowledged", "offset": 8},
    ]


def test_a_session_is_taken_up_at_another_socket(play):
    play.config(session_id="talk", resume_token="t")
    assert (play.settings.session_id, play.settings.resume_token) == ("talk", "t")
    play.ready(offset=100)
    assert play.said_of("session")[0]["next_offset"] == 100
    play.audio(b"rest")
    assert [(it.chunk_offset, it.chunk) for it in play.fed] == [(100, b"rest")]


def test_a_socket_whose_session_was_taken_up_elsewhere_is_closed_with_the_reason(play):
    play.config(resumable=True)
    play.ready()
    play.do(play.session.ended(errors.Conflict("the session was taken up by another stream")))
    assert (play.closed.code, play.closed.reason) == (
        1000,
        "the session was taken up by another stream",
    )


def test_who_leaves_has_ended_the_session_and_nobody_waits_for_its_analysis(play):
    play.config()
    play.ready()
    play.audio(b"all of it")
    play.do(play.session.left())
    assert (play.heard, play.is_ended, play.is_left) == (b"all of it", True, False)
    play.acknowledge(9)
    assert not play.is_left
    play.told(transcript={"text": "all"})
    assert play.is_left


def test_who_leaves_while_a_line_is_cut_loses_nothing(play):
    play.config()
    play.ready()
    play.audio(b"0123")
    play.do(play.session.ended(BROKEN))
    play.do(play.session.left())
    play.ready(offset=2)
    assert (play.heard, play.is_ended) == (b"23", True)


def test_of_who_leaves_the_sessions_that_wait_are_ended_too(play):
    play.config()
    play.ready()
    play.audio(b"first")
    play.end()
    play.config(session_id="second")
    play.audio(b"second")
    play.do(play.session.left())
    play.told(transcript={"text": "first"})
    assert (play.settings.session_id, play.is_left) == ("second", False)
    play.ready(session_id="second")
    assert (play.heard, play.is_ended) == (b"second", True)
    play.told(transcript={"text": "second"})
    assert play.is_left


def test_who_may_come_again_has_not_ended_the_session(play):
    play.config(resumable=True)
    play.ready()
    play.audio(b"0123")
    play.do(play.session.left())
    assert not play.is_left
    play.acknowledge(4)
    assert (play.is_ended, play.is_left) == (False, True)


@pytest.mark.parametrize("early", [b"", b"audio without a config"])
def test_who_leaves_without_a_session_leaves_nothing(play, early):
    if early:
        play.audio(early)
    play.do(play.session.left())
    assert (play.is_left, play.calls) == (True, [])


def test_a_client_waits_while_too_much_waits_for_the_room(play):
    play.config()
    play.ready()
    for _ in range(51):
        assert not play.session.is_full
        play.audio(bytes(1024 * 1024))
    assert play.session.is_full
    on_its_way = len(play.heard)
    assert on_its_way == 1024 * 1024
    play.acknowledge(on_its_way)
    assert not play.session.is_full
    assert len(play.heard) == 2 * on_its_way


def test_messages_that_wait_for_the_session_before_are_bounded_too(play):
    play.config()
    play.ready()
    play.end()
    while not play.session.is_full:
        play.config()
        play.audio(bytes(100_000))
    assert play.session.held < 51 * 1024 * 1024
    play.analyse()
    assert not play.session.is_full


def test_while_all_sockets_hold_too_much_a_client_waits_until_the_room_took_some(play):
    play.config()
    play.ready()
    play.audio(b"0123")
    assert (play.session.held, play.session.is_full) == (4, False)
    play.do(play.session.shed())
    assert play.session.is_full
    play.acknowledge(1)
    assert (play.session.held, play.session.is_full) == (3, False)
    play.do(play.session.shed())
    play.acknowledge(4)
    assert (play.session.held, play.session.is_full, play.said) == (0, False, [])


def test_while_all_sockets_hold_too_much_audio_without_settings_is_left_out_and_told(play):
    play.audio(bytes(1_000))
    play.do(play.session.shed())
    assert (play.session.held, play.session.is_full) == (0, False)
    assert [it["type"] for it in play.said] == ["warning"]
