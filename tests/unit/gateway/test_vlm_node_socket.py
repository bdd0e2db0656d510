import json
from datetime import timedelta

import pytest
from mesh.types.v1 import chat_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects import vlm_node_socket as dialect
from gateway.bridge.exchange import Ask
from gateway.bridge.session import Close, Code, Listen, Ping, Say
from services.chassis import errors, limits
from tests.doubles.machines import HandClock

NAMED = pb.GetModelResponse()
NAMED.model.name = "aisle"


@pytest.fixture
def session():
    return dialect.socket(batch=3, clock=HandClock()).open({})


def test_a_batch_is_answered_by_the_prompt_once_it_is_whole(session):
    assert said(session.text("What?")) == []
    assert said(session.binary(b"1")) == said(session.binary(b"2")) == []
    question = asked(session, session.binary(b"3"))
    assert pictures(question) == [b"1", b"2", b"3"]
    assert prompt(question) == "What?"


def test_each_piece_is_one_json_object_in_a_binary_frame(session):
    begin(session)
    pieces = [*session.told(piece("An ")), *session.told(piece("aisle."))]
    pieces += session.told(last())
    assert all(isinstance(it, Say) and isinstance(it.data, bytes) for it in pieces)
    first, second, end = (json.loads(it.data) for it in pieces)
    assert first == {
        "model": "aisle",
        "created_at": "1970-01-01T00:16:40Z",
        "response": "An ",
        "done": False,
    }
    assert second["response"] == "aisle."
    assert (end["response"], end["done"], end["done_reason"]) == ("", True, "stop")
    assert (end["prompt_eval_count"], end["eval_count"]) == (30, 12)
    assert end["total_duration"] == 1_500_000_000


def test_an_answer_that_was_cut_says_so(session):
    begin(session)
    (end,) = replies(session.told(last(finish_reason=chat_pb2.FINISH_REASON_LENGTH)))
    assert end["done_reason"] == "length"


def test_pictures_that_waited_are_answered_by_the_new_prompt(session):
    drain(session.text("Old?"))
    drain(session.binary(b"1"))
    question = asked(session, session.text("New?"))
    assert (pictures(question), prompt(question)) == ([b"1"], "New?")


def test_pictures_without_a_prompt_are_told_of_in_text_and_kept(session):
    assert said(session.binary(b"1")) == said(session.binary(b"2")) == []
    for picture in (b"3", b"4"):
        assert said(session.binary(picture)) == ["No prompt received for image batch"]
    assert pictures(asked(session, session.text("What?"))) == [b"1", b"2", b"3", b"4"]


def test_the_newest_pictures_that_one_request_holds_wait_for_a_prompt(session):
    for i in range(100):
        drain(session.binary(b"%d" % i))
    kept = pictures(asked(session, session.text("What?")))
    assert kept == [b"%d" % i for i in range(100 - limits.IMAGES_PER_REQUEST, 100)]


def test_large_pictures_without_a_prompt_are_kept_within_one_body(session):
    large = bytes(limits.BODY_BYTES // 3)
    for _ in range(10):
        drain(session.binary(large))
    assert sum(map(len, pictures(asked(session, session.text("What?"))))) <= limits.BODY_BYTES


def test_pictures_that_are_too_large_together_are_two_batches(session):
    drain(session.text("What?"))
    large = bytes(limits.BODY_BYTES - 1)
    assert drain(session.binary(large)) == []
    assert pictures(asked(session, session.binary(b"22"))) == [large]
    finish(session)
    assert pictures(asked_again(session, session.ticked())) == [b"22"]


def test_the_first_tick_is_after_half_a_minute_and_the_next_ten_seconds_after_a_message(session):
    assert session.patience == 30
    assert drain(session.ticked()) == [Ping(b"ping")]
    assert session.patience == 10
    drain(session.text("What?"))
    assert session.patience == 10


def test_a_tick_answers_what_waits(session):
    drain(session.text("What?"))
    drain(session.binary(b"1"))
    drain(session.binary(b"2"))
    assert session.patience == 10
    ping, *rest = session.ticked()
    assert ping == Ping(b"ping")
    assert pictures(asked(session, rest)) == [b"1", b"2"]


def test_a_picture_alone_after_its_prompt_is_answered_at_once(session):
    for photo in (b"1", b"2"):
        drain(session.text("What?"))
        drain(session.binary(photo))
        assert session.patience == dialect.ALONE_SECONDS
        done = list(session.ticked())
        assert Ping(b"ping") not in done
        question = asked(session, done) if photo == b"1" else done[0]
        assert pictures(question) == [photo]
        assert session.patience == 10
        finish(session)


def test_batches_are_answered_in_their_order_one_at_a_time(session):
    begin(session, b"1")
    for photo in (b"2", b"3"):
        assert drain(session.binary(photo)) == []
        assert drain(session.text("What?")) == []
    for photo in (b"2", b"3"):
        drain(session.told(last()))
        (question,) = session.ended(None)
        assert pictures(question) == [photo]


def test_of_batches_that_wait_the_oldest_is_dropped_and_told_in_its_place(session):
    begin(session, b"first")
    for i in range(dialect.WAITING + 2):
        drain(session.binary(b"%d" % i))
        drain(session.text("What?"))
    drain(session.told(last()))
    *dropped, question = session.ended(None)
    assert [it["done"] for it in replies(dropped)] == [True, True]
    assert all("newer pictures" in it["error"] for it in replies(dropped))
    assert pictures(question) == [b"2"]


def test_batches_that_wait_hold_one_body_at_most(session):
    begin(session, b"first")
    for _ in range(3):
        drain(session.binary(bytes(limits.BODY_BYTES // 2 + 1)))
        drain(session.text("What?"))
    drain(session.told(last()))
    *dropped, question = session.ended(None)
    assert len(dropped) == 2
    assert isinstance(question, Listen)


def test_a_flood_ends_in_a_close_that_says_when_to_come_again(session):
    begin(session)
    actions = []
    for _ in range(dialect.REFUSED + 10):
        actions += session.binary(b"1")
        actions += session.text("What?")
    assert Code.TRY_AGAIN_LATER in [it.code for it in actions if isinstance(it, Close)]


def test_what_fails_is_told_and_the_next_batch_is_answered(session):
    begin(session)
    drain(session.binary(b"2"))
    drain(session.text("What?"))
    told, question = session.ended(errors.Unavailable("the engine does not answer"))
    (reply,) = replies([told])
    assert reply["error"] == "the engine does not answer"
    assert (reply["response"], reply["done"]) == ("", True)
    assert pictures(question) == [b"2"]


def test_a_picture_that_is_none_is_told_by_its_place_in_the_batch(session):
    begin(session)
    wrong = errors.InvalidInput.field("messages[0].parts[1].image.data", "is no picture")
    (reply,) = replies(session.ended(wrong))
    assert reply["error"] == "pictures[1]: is no picture"


def test_an_answer_that_breaks_off_is_told(session):
    begin(session)
    drain(session.told(piece("An ")))
    (reply,) = replies(session.ended(None))
    assert (reply["error"], reply["done"]) == ("the answer broke off", True)


def test_without_the_models_name_an_answer_is_as_good(session):
    drain(session.text("What?"))
    drain(session.binary(b"1"))
    (ask,) = session.ticked()
    assert ask.method == "GetModel"
    (question,) = session.ended(errors.Unavailable("nobody is there"))
    assert pictures(question) == [b"1"]


@pytest.mark.parametrize(("text", "tokens"), [("64", 64), ("-1", 0), ("9999999", 32_768), ("", 0)])
def test_how_much_to_write_is_in_the_query(text, tokens):
    session = dialect.socket(batch=1, clock=HandClock()).open({"num_predict": text})
    drain(session.text("What?"))
    question = asked(session, session.binary(b"1"))
    assert question.request.sampling.max_tokens == tokens


def test_a_query_that_is_no_number_is_refused():
    with pytest.raises(errors.InvalidInput, match="num_predict"):
        dialect.socket(batch=1).open({"num_predict": "many"})


def drain(actions):
    return list(actions)


def said(actions):
    return [it.data for it in actions if isinstance(it, Say)]


def replies(actions):
    return [json.loads(it) for it in said(actions)]


def asked(session, actions):
    (ask,) = actions
    assert (type(ask), ask.method) == (Ask, "GetModel")
    drain(session.told(NAMED))
    (question,) = session.ended(None)
    return question


def asked_again(session, actions):
    return next(it for it in actions if isinstance(it, Listen))


def begin(session, picture=b"1"):
    drain(session.binary(picture))
    return asked(session, session.text("What?"))


def finish(session):
    drain(session.told(last()))
    assert drain(session.ended(None)) == []


def pictures(question):
    assert question.method == "GenerateStream"
    (message,) = question.request.messages
    return [it.image.data for it in message.parts if it.HasField("image")]


def prompt(question):
    return question.request.messages[0].parts[-1].text


def piece(text):
    return pb.GenerateStreamResponse(delta=text)


def last(finish_reason=chat_pb2.FINISH_REASON_STOP):
    usage = usage_pb2.Usage(input_tokens=30, output_tokens=12)
    usage.processing_time.FromTimedelta(timedelta(seconds=1.5))
    return pb.GenerateStreamResponse(finish_reason=finish_reason, usage=usage, model="aisle")
