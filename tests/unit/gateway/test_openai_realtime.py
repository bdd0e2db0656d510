import base64
import itertools
import json
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import model_pb2

from gateway.bridge.dialects import openai_realtime as realtime
from gateway.bridge.dialects.openai_realtime_call import MOST_SILENCES
from gateway.bridge.exchange import Ask
from gateway.bridge.session import Close, Code, Converse, Feed, Leave, Say
from services.chassis import errors

MODEL = pb.GetModelResponse(model=model_pb2.Model(name="ears", ready=True))
READY = pb.TranscribeResponse(ready=pb.TranscribeReady(session_id="s"))
TENTH = bytes(4_800)


class Script:
    """A session, and what it did."""

    def __init__(self, wished="", *, begin=True):
        count = itertools.count(1)
        self.session = realtime.RealtimeSession(wished, lambda: str(next(count)))
        self.said, self.fed, self.others = [], [], []
        self.do(self.session.opened())
        if begin:
            self.tell(MODEL)
            self.do(self.session.ended(None))

    def do(self, actions):
        for action in actions:
            match action:
                case Say():
                    self.said.append(json.loads(action.data))
                case Feed():
                    self.fed.append(action.request)
                case _:
                    self.others.append(action)
        return self

    def tell(self, *answers):
        for answer in answers:
            self.do(self.session.told(answer))
        return self

    def end(self, error=None):
        return self.do(self.session.ended(error))

    def send(self, kind, **fields):
        return self.do(self.session.text(json.dumps({"type": kind, **fields})))

    def append(self, data=TENTH):
        return self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    def commit(self):
        return self.send("input_audio_buffer.commit")

    def set(self, **settings):
        session = {"type": "transcription", "audio": {"input": settings}}
        return self.send("session.update", session=session)

    @property
    def kinds(self):
        """What was said since this was last asked."""
        told, self.said = self.said, []
        self.last = told
        return [
            it["type"].removeprefix("conversation.item.").removeprefix("input_audio_")
            for it in told
        ]

    @property
    def error(self):
        (told,) = self.said
        self.said = []
        assert told["type"] == "error"
        return told["error"]

    @property
    def calls(self):
        return [it for it in self.others if isinstance(it, Converse)]


def lasting(seconds):
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made


def voice(speaking, seconds):
    told = pb.VoiceActivity(speaking=speaking, offset=lasting(seconds))
    return pb.TranscribeResponse(voice_activity=told)


def taken(offset):
    return pb.TranscribeResponse(acknowledged=pb.AudioAcknowledged(offset=offset))


def partial(committed):
    return pb.TranscribeResponse(partial_text=pb.PartialText(committed=committed))


def segment(text, start=0.0, end=1.0):
    told = pb.TranscribeResponse()
    told.segment.text = text
    told.segment.start_offset.CopyFrom(lasting(start))
    told.segment.end_offset.CopyFrom(lasting(end))
    return told


def final(text=""):
    told = pb.TranscribeResponse()
    told.final.text = text
    return told


@pytest.fixture
def script():
    made = Script()
    assert made.kinds == ["session.created"]
    return made


@pytest.fixture
def manual(script):
    assert script.set(turn_detection=None).kinds == ["session.updated"]
    return script


def test_nothing_is_read_before_the_model_is_known():
    made = Script(begin=False)
    (ask,) = made.others
    assert (type(ask), ask.method) == (Ask, "GetModel")
    assert made.session.is_full
    assert made.tell(MODEL).kinds == ["session.created"]
    assert not made.session.is_full
    assert made.last[0]["session"] == {
        "id": "sess_1",
        "object": "realtime.transcription_session",
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": {
                    "model": "ears",
                    "language": None,
                    "prompt": "",
                    "keywords": [],
                },
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 700,
                },
            }
        },
        "include": None,
    }


@pytest.mark.parametrize("wished", ["", "ears", "default", "whisper-1", "gpt-4o-mini-transcribe"])
def test_names_that_mean_the_rooms_model(wished):
    assert Script(wished).kinds == ["session.created"]


def test_another_model_ends_the_socket():
    made = Script("gpt-realtime", begin=False).tell(MODEL)
    assert made.error["code"] == "model_not_found"
    assert made.others[-1].code is Code.POLICY


def test_a_room_that_is_down_ends_the_socket():
    made = Script(begin=False).end(errors.Unavailable("the room is down"))
    assert made.error["message"] == "the room is down"
    assert made.others[-1].code is Code.TRY_AGAIN_LATER


def test_audio_waits_for_the_room_and_is_sent_in_pieces_that_it_takes(script):
    script.append().append(bytes(1024 * 1024 + 2))
    (call,) = script.calls
    settings = call.request.settings
    assert (call.method, call.keeps) == ("Transcribe", None)
    assert (settings.encoding, settings.sample_rate_hz) == (pb.AUDIO_ENCODING_PCM16, 24_000)
    assert settings.voice_activity
    assert script.fed == []
    script.tell(READY).append()
    assert [len(it.chunk) for it in script.fed] == [4_800, 1024 * 1024, 2, 4_800]
    assert len(script.calls) == 1


def test_a_client_waits_while_too_much_audio_does(script):
    assert not script.append(bytes(1024 * 1024)).session.is_full
    assert script.append().session.is_full
    assert script.session.held == 1024 * 1024 + 4_800
    assert script.tell(READY).session.is_full
    assert not script.tell(taken(4_800)).session.is_full
    assert script.tell(taken(1024 * 1024 + 4_800)).session.held == 0


def test_a_turn_is_told_from_its_begin_to_its_text(script):
    script.append().tell(READY, voice(True, 0.5), partial("Good"), partial("Good morning"))
    script.tell(segment("Good morning.", 0.8, 2.0), voice(False, 2.1))
    assert script.kinds == [
        "buffer.speech_started",
        "transcription.delta",
        "transcription.delta",
        "transcription.delta",
        "transcription.segment",
        "buffer.speech_stopped",
        "buffer.committed",
        "added",
        "done",
        "transcription.completed",
    ]
    began, *deltas, told, stopped, committed, added, _, completed = script.last
    name = began["item_id"]
    assert {it.get("item_id", name) for it in script.last} == {name}
    assert len({it["event_id"] for it in script.last}) == len(script.last)
    assert [it["delta"] for it in deltas] == ["Good", " morning", "."]
    assert (told["start"], told["end"], told["id"]) == (0.8, 2.0, f"{name}_0")
    assert (began["audio_start_ms"], stopped["audio_end_ms"]) == (500, 2_100)
    assert committed["previous_item_id"] is None
    assert (added["item"]["id"], added["item"]["role"]) == (name, "user")
    assert completed["transcript"] == "Good morning."
    assert completed["usage"] == {"type": "duration", "seconds": 1.6}


def test_the_next_turn_follows_the_last(script):
    script.append().tell(READY, voice(True, 0), segment("A."), voice(False, 1))
    first = script.said[0]["item_id"]
    assert len(script.kinds) == 8
    script.tell(voice(True, 2), partial("B"), segment("B."), voice(False, 3))
    assert script.kinds[-1] == "transcription.completed"
    assert script.last[-1]["transcript"] == "B."
    (committed,) = (it for it in script.last if it["type"].endswith("committed"))
    assert committed["previous_item_id"] == first != committed["item_id"]


def test_a_client_that_commits_while_somebody_speaks_ends_the_turn_itself(script):
    script.append().tell(READY, voice(True, 0), partial("A"))
    assert script.kinds[0] == "buffer.speech_started"
    assert script.commit().kinds == ["buffer.committed", "added", "done"]
    assert script.fed[-1].HasField("end")
    script.append().tell(segment("A."), voice(False, 0.1))
    assert script.kinds == [
        "transcription.delta",
        "transcription.segment",
        "transcription.completed",
    ]
    script.tell(final("A.")).end()
    assert script.kinds == []
    assert len(script.calls) == 2


def test_a_turn_without_a_word_is_empty(manual):
    manual.append().tell(READY).commit()
    manual.tell(final()).end()
    assert manual.kinds[-1] == "transcription.completed"
    assert manual.last[-1]["transcript"] == ""
    assert manual.last[-1]["usage"]["seconds"] == 0.1


def test_what_is_sent_after_a_commit_is_of_the_next_turn(manual):
    manual.append().tell(READY, taken(4_800)).commit().append(bytes(9_600)).commit()
    assert manual.kinds == ["buffer.committed", "added", "done"]
    assert [len(it.chunk) for it in manual.fed] == [4_800, 0]
    manual.tell(segment("A."), final("A.")).end()
    assert manual.kinds[-1] == "transcription.completed"
    manual.tell(READY, taken(9_600), segment("B.", 0.05, 0.1), final("B.")).end()
    assert manual.kinds[:3] == ["buffer.committed", "added", "done"]
    told = {it["type"].rpartition(".")[2]: it for it in manual.last}
    assert (told["segment"]["start"], told["segment"]["end"]) == (0.15, 0.2)
    assert told["completed"]["transcript"] == "B."
    assert manual.session.held == 0


@pytest.mark.parametrize("sent", [0, 4_798])
def test_too_little_audio_is_no_turn(manual, sent):
    error = manual.append(bytes(sent)).commit().error
    assert error["code"] == "input_audio_buffer_commit_empty"


def test_what_is_cleared_is_not_heard(manual):
    manual.append().tell(READY).append()
    assert manual.send("input_audio_buffer.clear").kinds == ["buffer.cleared"]
    assert isinstance(manual.others[-1], Leave)
    assert manual.session.held == 0
    assert manual.commit().error["code"] == "input_audio_buffer_commit_empty"
    manual.append().tell(READY, segment("A.", 0, 0.1))
    assert manual.kinds == ["transcription.delta", "transcription.segment"]
    assert (manual.last[1]["start"], manual.last[1]["end"]) == (0.2, 0.3)


def test_a_turn_that_was_committed_is_heard_whatever_is_cleared_after(manual):
    manual.append().tell(READY).commit().append()
    manual.send("input_audio_buffer.clear").tell(segment("A."), final("A.")).end()
    assert manual.kinds[-1] == "transcription.completed"
    assert not [it for it in manual.others if isinstance(it, Leave)]
    assert len(manual.calls) == 1


def test_settings_hold_for_what_comes_after_them(script):
    script.set(
        format={"type": "audio/pcmu"},
        transcription={"model": "ears", "language": "de", "prompt": "Envoy", "keywords": ["mesh"]},
        turn_detection=None,
    )
    assert script.kinds == ["session.updated"]
    told = script.last[0]["session"]["audio"]["input"]
    assert (told["format"], told["turn_detection"]) == ({"type": "audio/pcmu"}, None)
    script.set(transcription={"language": "en"})
    told = script.said[-1]["session"]["audio"]["input"]["transcription"]
    assert (told["language"], told["prompt"]) == ("en", "Envoy")
    settings = script.append(bytes(800)).calls[0].request.settings
    assert (settings.encoding, settings.sample_rate_hz) == (pb.AUDIO_ENCODING_MULAW, 8_000)
    assert (settings.language, list(settings.hints)) == ("en", ["mesh", "Envoy"])
    assert not settings.voice_activity


def test_new_settings_amid_a_stream_end_a_call_and_no_turn(script):
    script.append().tell(READY).set(format={"type": "audio/pcmu"})
    assert script.kinds == ["session.updated"]
    assert script.fed[-1].HasField("end")
    script.append(bytes(800)).tell(voice(True, 0), segment("A."), voice(False, 0.1), final("A."))
    assert script.kinds[-1] == "transcription.completed"
    script.end()
    assert [it.request.settings.encoding for it in script.calls] == [
        pb.AUDIO_ENCODING_PCM16,
        pb.AUDIO_ENCODING_MULAW,
    ]


def test_new_settings_amid_a_turn_of_the_clients_own_are_refused(manual):
    error = manual.append().set(format={"type": "audio/pcmu"}).error
    assert "commit it or clear it" in error["message"]
    assert manual.set(format={"type": "audio/pcm", "rate": 24_000}).kinds == ["session.updated"]
    manual.commit().set(format={"type": "audio/pcmu"})
    assert manual.kinds == ["session.updated"]


@pytest.mark.parametrize(
    ("event", "param", "code"),
    [
        ("{", None, "invalid_value"),
        ("[]", None, "invalid_value"),
        ("{}", None, "missing_required_parameter"),
        ('{"type": "response.create"}', None, "invalid_value"),
        ('{"type": "input_audio_buffer.append"}', "audio", "missing_required_parameter"),
        ('{"type": "input_audio_buffer.append", "audio": "#"}', "audio", "invalid_value"),
        ('{"type": "session.update", "session": {"type": "realtime"}}', "session.type", None),
        (
            '{"type": "session.update", "session": {"type": "transcription", "voice": "x"}}',
            "session.voice",
            "unknown_parameter",
        ),
        (
            '{"type": "session.update", "session": {"type": "transcription",'
            ' "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}}',
            "session.audio.input.format.rate",
            "invalid_value",
        ),
        (
            '{"type": "session.update", "session": {"type": "transcription",'
            ' "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}}',
            "session.audio.input.turn_detection.type",
            "invalid_value",
        ),
        (
            '{"type": "session.update", "session": {"type": "transcription",'
            ' "audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}}}}}',
            "model",
            "model_not_found",
        ),
        (
            '{"type": "session.update", "session": {"type": "transcription",'
            ' "audio": {"input": {"transcription": {"language": "English"}}}}}',
            "session.audio.input.transcription.language",
            "invalid_value",
        ),
    ],
)
def test_an_event_that_cannot_be_is_told_with_its_name_and_the_socket_stays(
    script, event, param, code
):
    named = event.replace("{", '{"event_id": "mine", ', 1) if event[:2] == '{"' else event
    error = script.do(script.session.text(named)).error
    assert (error["param"], error["code"]) == (param, code or "invalid_value")
    assert error["event_id"] == ("mine" if named != event else None)
    assert not [it for it in script.others if isinstance(it, Close)]


def test_a_binary_message_is_no_event(script):
    assert "JSON" in script.do(script.session.binary(b"x")).error["message"]


def test_a_turn_whose_room_fails_is_told_and_the_next_is_heard(manual):
    manual.append().tell(READY).commit()
    assert manual.kinds == ["buffer.committed", "added", "done"]
    manual.end(errors.Unavailable("the stream broke off"))
    assert manual.kinds == ["transcription.failed"]
    assert manual.last[0]["error"]["message"] == "the stream broke off"
    manual.append().tell(READY, segment("A."))
    assert manual.kinds == ["transcription.delta", "transcription.segment"]


def ready_again(offset):
    ready = pb.TranscribeReady(session_id="s", resume_token="t", next_offset=offset)
    return pb.TranscribeResponse(ready=ready)


def test_a_turn_of_the_clients_own_goes_on_after_a_silence(manual):
    manual.append().tell(ready_again(0), taken(4_800), segment("A."))
    assert manual.kinds == ["transcription.delta", "transcription.segment"]
    manual.end(errors.TimedOut("nothing was sent")).append().commit()
    settings = manual.calls[-1].request.settings
    assert (settings.session_id, settings.resume_token) == ("s", "t")
    assert (settings.acknowledged_offset, settings.received_segments) == (4_800, 1)
    assert len(manual.fed) == 1
    manual.tell(ready_again(4_800))
    assert [it.WhichOneof("message") for it in manual.fed] == ["chunk", "chunk", "end"]
    assert manual.kinds == ["buffer.committed", "added", "done"]
    manual.tell(segment("B."), final("A. B.")).end()
    assert manual.kinds[-1] == "transcription.completed"
    assert manual.last[-1]["transcript"] == "A. B."
    assert manual.last[-1]["usage"]["seconds"] == pytest.approx(0.2)


def test_a_turn_of_the_clients_own_ends_with_a_silence_that_lasts(manual):
    manual.append().tell(READY, taken(4_800))
    for _ in range(MOST_SILENCES):
        manual.end(errors.TimedOut("nothing was sent")).tell(ready_again(4_800))
    assert manual.kinds == []
    manual.end(errors.TimedOut("nothing was sent"))
    assert manual.kinds == ["transcription.failed"]
    assert not manual.session.held
    # What has failed cannot be committed once more.
    assert manual.commit().error["code"] == "input_audio_buffer_commit_empty"


def test_a_turn_that_the_room_forgot_in_a_silence_has_failed_and_the_next_is_heard(manual):
    manual.append().tell(READY, taken(4_800)).end(errors.TimedOut("nothing was sent"))
    manual.append().end(errors.NotFound("there is no such session"))
    assert manual.kinds == ["transcription.failed"]
    manual.commit().tell(READY, segment("B."))
    assert manual.kinds[-2:] == ["transcription.delta", "transcription.segment"]


def test_audio_that_was_lost_in_a_silence_is_told(manual):
    manual.append().tell(READY).end(errors.TimedOut("nothing was sent")).tell(ready_again(0))
    assert manual.kinds == ["transcription.failed"]
    assert isinstance(manual.others[-1], Leave)
    assert not manual.session.held
    manual.append().commit().tell(READY, segment("B."))
    assert "transcription.delta" in manual.kinds


def test_a_room_that_has_no_place_ends_the_socket(script):
    script.append().end(errors.Exhausted("too many speak", retry_after=timedelta(seconds=3)))
    assert script.error["code"] == "rate_limit_exceeded"
    assert script.others[-1].code is Code.TRY_AGAIN_LATER
    assert len(script.calls) == 1


def test_settings_that_the_room_refuses_end_the_socket_and_are_not_to_be_tried_again(script):
    problem = "is not one that this model knows"
    script.append().end(errors.InvalidInput.field("settings.language", problem))
    error = script.error
    assert (error["param"], error["message"]) == ("language", f"language: {problem}")
    assert script.others[-1].code is Code.POLICY


def test_a_client_that_was_silent_for_long_goes_on_when_it_likes(script):
    script.append().tell(READY, taken(4_800)).end(errors.TimedOut("nothing was sent"))
    assert script.kinds == []
    script.append().tell(READY, voice(True, 0.05))
    assert script.kinds == ["buffer.speech_started"]
    assert script.last[0]["audio_start_ms"] == 150
