import base64
import json

import pytest
from google.protobuf.json_format import ParseDict
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.types.v1 import chat_pb2, model_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb

from gateway.bridge.dialects import openai_chat as chat
from gateway.bridge.dialects.openai import DIALECT
from gateway.bridge.exchange import Events
from services.chassis import errors
from tests.doubles import conversations
from tests.doubles.conversations import body

REASONS = reasoning_pb.GetModelResponse(model=model_pb2.Model(name="coder"))
SEES = vision_pb.GetModelResponse(model=model_pb2.Model(name="aisle"))
USAGE = usage_pb2.Usage(input_tokens=30, output_tokens=12)
ANSWER = {"text": "Hello.", "usage": USAGE, "finish_reason": chat_pb2.FINISH_REASON_STOP}
SAID = reasoning_pb.GenerateResponse(**ANSWER)
SEEN = vision_pb.GenerateResponse(**ANSWER)
PIXELS = base64.b64encode(b"pixels").decode()
DATA_URL = f"data:image/jpeg;base64,{PIXELS}"


def asked(*content, model="default", **more):
    messages = [{"role": "user", "content": list(content) if content else "Hi"}]
    return {"model": model, "messages": messages} | more


def picture(url=DATA_URL, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def call(value, *answers):
    return conversations.call(DIALECT, "POST", "/v1/chat/completions", body(value), *answers)


def held(value, *answers):
    return conversations.tell(chat.complete(body(value)), *answers)


def refused(value, *answers):
    done, status, told = call(value, *answers)
    assert done == []
    return status, told["error"]


def test_a_conversation_is_answered_by_the_room_that_reasons():
    (_, ask), status, told = call(asked(), REASONS, SAID)
    assert (ask.service, ask.method, status) == ("ReasoningService", "Generate", 200)
    assert told.pop("id").startswith("chatcmpl-")
    assert told.pop("created") > 1_700_000_000
    assert told == {
        "object": "chat.completion",
        "model": "coder",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42},
    }


def test_pictures_are_answered_by_the_room_that_sees():
    text = {"type": "text", "text": "What is this?"}
    sent = asked(text, picture(detail="low"), picture("https://example.com/a.jpg"))
    (_, ask), status, told = call(sent, SEES, SEEN)
    assert (ask.service, status, told["model"]) == ("VisionService", 200, "aisle")
    words, bytes_, address = ask.request.messages[0].parts
    assert words.text == "What is this?"
    assert bytes_.image.data == b"pixels"
    assert address.image.uri == "https://example.com/a.jpg"


@pytest.mark.parametrize(
    "url",
    [
        f'data:image/jpeg;base64,{{"timestamp": 1.5, "frame": "{PIXELS}"}}',
        f'data:image/jpeg;base64,{{"frame": "{DATA_URL}"}}',
    ],
)
def test_a_robots_frame_is_taken_out_of_the_json_that_it_comes_in(url):
    (_, ask), _, _ = call(asked(picture(url)), SEES, SEEN)
    assert ask.request.messages[0].parts[0].image.data == b"pixels"


def test_a_conversation_is_asked_in_the_contracts_words():
    sent = asked(
        max_tokens=7,
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.25,
        seed=3,
        stop="END",
        user="me",
        n=1,
        tools=[],
        logprobs=None,
        presence_penalty=0.0,
        metadata={"a": "b"},
    )
    sent["messages"] = [
        {"role": "system", "content": ""},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "me"},
        {"role": "assistant", "content": "Hello.", "refusal": None, "annotations": []},
        {"role": "user", "content": [{"type": "text", "text": "And?"}]},
    ]
    (_, ask), status, _ = call(sent, REASONS, SAID)
    assert status == 200
    assert [(it.role, it.parts[0].text) for it in ask.request.messages] == [
        (chat_pb2.ROLE_SYSTEM, "Be brief."),
        (chat_pb2.ROLE_USER, "Hi"),
        (chat_pb2.ROLE_ASSISTANT, "Hello."),
        (chat_pb2.ROLE_USER, "And?"),
    ]
    assert ask.request.sampling == chat_pb2.Sampling(
        max_tokens=9, temperature=0.5, top_p=0.25, seed=3, stop=["END"]
    )


def test_what_is_left_out_is_the_rooms_choice():
    (_, ask), _, _ = call(asked(), REASONS, SAID)
    assert ask.request.sampling == chat_pb2.Sampling()


@pytest.mark.parametrize(
    ("model", "answers", "service"),
    [
        ("coder", [REASONS, SAID], "ReasoningService"),
        ("aisle", [REASONS, SEES, SEEN], "VisionService"),
    ],
)
def test_the_model_that_is_named_answers(model, answers, service):
    done, status, told = call(asked(model=model), *answers)
    assert (done[-1].service, status, told["model"]) == (service, 200, model)


def test_a_model_that_is_not_there_is_told_as_openai_does():
    status, error = refused(asked(model="gpt-4o"), REASONS, SEES)
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")


def test_an_answer_that_was_cut_says_so():
    cut = reasoning_pb.GenerateResponse(finish_reason=chat_pb2.FINISH_REASON_LENGTH, usage=USAGE)
    assert call(asked(), REASONS, cut)[2]["choices"][0]["finish_reason"] == "length"


SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}}}
MADE = ParseDict({"b": 3, "a": ["ä", 1.5]}, reasoning_pb.ExtractResponse(usage=USAGE).value)
EXTRACTED = reasoning_pb.ExtractResponse(usage=USAGE, value=MADE)


@pytest.mark.parametrize(
    ("wanted", "schema"),
    [
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, SCHEMA),
        ({"type": "json_object"}, {"type": "object"}),
    ],
)
def test_json_is_extracted(wanted, schema):
    (_, ask), status, told = call(asked(response_format=wanted), REASONS, EXTRACTED)
    assert (ask.method, status) == ("Extract", 200)
    assert json.loads(ask.request.json_schema) == schema
    text = told["choices"][0]["message"]["content"]
    assert json.loads(text) == {"b": 3, "a": ["ä", 1.5]}
    assert "3.0" not in text
    assert "ä" in text


def test_the_order_of_a_schema_is_kept():
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    (_, ask), _, _ = call(asked(response_format=wanted), REASONS, EXTRACTED)
    assert ask.request.json_schema.index('"b"') < ask.request.json_schema.index('"a"')


def parsed(data):
    events = [it.removeprefix("data: ") for it in data.decode().split("\n\n") if it]
    return [it if it == "[DONE]" else json.loads(it) for it in events]


def test_json_in_a_stream_comes_as_a_whole():
    sent = asked(response_format={"type": "json_object"}, stream=True)
    _, response = held(sent, REASONS, EXTRACTED)
    *chunks, done = parsed(response.body)
    assert (response.content_type, done) == ("text/event-stream", "[DONE]")
    assert json.loads(chunks[1]["choices"][0]["delta"]["content"])["b"] == 3


@pytest.mark.parametrize(
    ("pb", "sent", "knows"),
    [(reasoning_pb, asked(), REASONS), (vision_pb, asked(picture()), SEES)],
)
@pytest.mark.parametrize("tells_usage", [True, False])
def test_an_answer_is_told_as_it_is_written(pb, sent, knows, tells_usage):
    options = {"stream": True, "stream_options": {"include_usage": tells_usage}}
    _, events = held(sent | options, knows)
    assert isinstance(events, Events)
    assert (events.ask.method, type(events.ask.request)) == (
        "GenerateStream",
        pb.GenerateStreamRequest,
    )
    piece = pb.GenerateStreamResponse(delta="Hel")
    last = pb.GenerateStreamResponse(
        delta="lo.", usage=USAGE, finish_reason=chat_pb2.FINISH_REASON_STOP
    )
    *chunks, done = parsed(events.told(piece) + events.told(last) + events.ended(None))
    assert done == "[DONE]"
    assert len({(it["id"], it["created"], it["object"]) for it in chunks}) == 1
    assert [it["choices"][0]["delta"] for it in chunks[:4]] == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo."},
        {},
    ]
    assert [it["choices"][0]["finish_reason"] for it in chunks[:4]] == [None, None, None, "stop"]
    if tells_usage:
        usage = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
        assert (chunks[4]["choices"], chunks[4]["usage"]) == ([], usage)
        assert {it["usage"] for it in map(dict, chunks[:4])} == {None}
    else:
        assert len(chunks) == 4
        assert not any("usage" in it for it in chunks)


def test_a_stream_that_breaks_off_says_so_and_is_not_done():
    _, events = held(asked(stream=True), REASONS)
    (told,) = parsed(events.ended(errors.Unavailable("the engine is gone")))
    assert told["error"]["message"] == "the engine is gone"


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        (b"{", None, "invalid_value"),
        ([], None, "invalid_value"),
        ({"model": "default"}, "messages", "missing_required_parameter"),
        (asked(messages=[]), "messages", "invalid_value"),
        (asked(stop=["x"] * 9), "stop", "invalid_value"),
        (asked(stop=["x", 1]), "stop[1]", "invalid_value"),
        (asked(tools=[{"type": "function"}]), "tools", "unsupported_parameter"),
        (asked(n=2), "n", "unsupported_parameter"),
        (asked(logprobs=True), "logprobs", "unsupported_parameter"),
        (asked(top_k=3), "top_k", "unknown_parameter"),
        (asked(**{"x" * 99: 1}), "x" * 64, "unknown_parameter"),
        (asked(picture(size=3)), "messages[0].content[0].image_url.size", "unknown_parameter"),
        (asked(**{f"x{i}": 1 for i in range(200_000)}), "x0", "unknown_parameter"),
        (asked(temperature=3), "temperature", "invalid_value"),
        (asked(max_tokens=0), "max_tokens", "invalid_value"),
        (asked(seed=2**40), "seed", "invalid_value"),
        (asked({"type": "text"}), "messages[0].content[0].text", "missing_required_parameter"),
        (
            asked(response_format={"type": "json_schema"}),
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        (asked(picture("nothing")), "messages[0].content[0].image_url.url", None),
    ],
)
def test_what_cannot_be_is_named(value, param, code):
    status, error = refused(value)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)


def test_what_is_wrong_inside_a_message_is_named():
    sent = asked({"type": "input_audio", "input_audio": {}})
    status, error = refused(sent)
    assert status == 400
    assert error["param"] == "messages[0].content[0].input_audio"
    tool = {"role": "tool", "content": "x"}
    assert refused(asked(messages=[tool]))[1]["param"] == "messages[0].role"


def test_json_about_pictures_is_refused():
    status, error = refused(asked(picture(), response_format={"type": "json_object"}), SEES)
    assert (status, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == "response_format"


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("messages[0].parts[1].image.uri", "messages[0].content[1].image_url.url"),
        ("messages[0].parts[1].image.data", "messages[0].content[1].image_url.url"),
        ("messages[0].parts[1].image", "messages[0].content[1].image_url.url"),
        ("messages[2].parts", "messages[2].content"),
        ("sampling.stop[0]", "stop[0]"),
        ("json_schema", "response_format.json_schema.schema"),
    ],
)
def test_what_the_room_refuses_is_told_by_openais_names(field, param):
    _, error = refused(asked(), REASONS, errors.InvalidInput.field(field, "is wrong"))
    assert (error["param"], error["message"]) == (param, f"{param}: is wrong")
