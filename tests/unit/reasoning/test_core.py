import json

import pytest

from services.chassis.errors import Internal, InvalidInput, Precondition
from services.engine.domain import FinishReason, Role, Sampling, SentPicture, Turn
from services.reasoning.core import Reasoning
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"zebra": {"type": "integer"}, "ant": {"type": "string"}},
        "required": ["zebra"],
    }
)
QUESTION = [Turn(Role.USER, ("How many?",))]


async def test_a_conversation_is_answered(reasoning: Reasoning) -> None:
    generated = await reasoning.generate(QUESTION, Sampling())
    assert generated.answer.text == faults.SENTENCE
    assert generated.answer.finish_reason is FinishReason.STOP
    assert generated.processing_time.total_seconds() > 0


async def test_a_conversation_is_answered_piece_by_piece_with_its_cost_at_the_end(
    reasoning: Reasoning,
) -> None:
    *pieces, last = [it async for it in reasoning.generate_stream(QUESTION, Sampling())]
    assert "".join(it.delta.text for it in pieces) == faults.SENTENCE
    assert last.delta.finish_reason is FinishReason.STOP
    assert last.delta.output_tokens == len(pieces) == 10
    assert pieces[0].processing_time < last.processing_time


@pytest.mark.parametrize(
    "turns", [[Turn(Role.USER, (SentPicture(b"x"),))], [Turn(Role.ASSISTANT, ("!",))]]
)
async def test_a_stream_is_refused_as_a_whole_answer_is(
    reasoning: Reasoning, server: EngineServer, turns: list[Turn]
) -> None:
    with pytest.raises(InvalidInput) as whole:
        await reasoning.generate(turns, Sampling())
    with pytest.raises(InvalidInput) as streamed:
        await anext(reasoning.generate_stream(turns, Sampling()))
    assert streamed.value.violations == whole.value.violations
    assert server.bodies == []


@pytest.mark.parametrize("arguments", [("generate",), ("extract", SCHEMA)])
async def test_a_picture_is_refused_by_its_place(
    reasoning: Reasoning, server: EngineServer, arguments: tuple[str, ...]
) -> None:
    turns = [Turn(Role.USER, ("look", SentPicture(b"\xff\xd8"))), *QUESTION]
    how, *schema = arguments
    with pytest.raises(InvalidInput) as refused:
        await getattr(reasoning, how)(turns, *schema, Sampling())
    assert refused.value.violations[0].field == "messages[0].parts[1].image"
    assert "vision" in refused.value.remedy
    assert server.bodies == []


async def test_a_conversation_that_ends_with_the_model_is_refused(reasoning: Reasoning) -> None:
    with pytest.raises(InvalidInput):
        await reasoning.generate([*QUESTION, Turn(Role.ASSISTANT, ("x",))], Sampling())


async def test_an_object_that_fits_is_given_and_the_schema_keeps_its_order(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.reply = lambda body: '{"zebra": 3, "ant": "a"}'
    extracted = await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert extracted.value == {"zebra": 3, "ant": "a"}
    sent = server.bodies[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["strict"] is True
    assert json.dumps(sent["json_schema"]["schema"]) == SCHEMA


async def test_a_schema_that_is_none_is_refused_before_the_engine_is_asked(
    reasoning: Reasoning, server: EngineServer
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await reasoning.extract(QUESTION, "[]", Sampling())
    assert refused.value.violations[0].field == "json_schema"
    assert server.bodies == []


async def test_an_answer_that_was_cut_is_a_precondition_with_a_remedy(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.reply = lambda body: '{"zebra": 3, "ant": "a b c"}'
    with pytest.raises(Precondition) as refused:
        await reasoning.extract(QUESTION, SCHEMA, Sampling(max_tokens=2))
    assert refused.value.code == "ANSWER_CUT"
    assert "max_tokens" in refused.value.remedy
    assert len(server.bodies) == 1


@pytest.mark.parametrize("first", ["no JSON", '{"zebra": "three"}', "[]", '{"ant": "a"}'])
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    reasoning: Reasoning, server: EngineServer, first: str
) -> None:
    replies = iter([first, '{"zebra": 3}'])
    server.reply = lambda body: next(replies)
    extracted = await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert extracted.value == {"zebra": 3}
    assert extracted.output_tokens == len(first.split()) + 2
    again = server.bodies[1]["messages"]
    assert [it["role"] for it in again] == ["user", "assistant", "user"]
    assert again[1]["content"] == first
    assert "does not fit" in again[2]["content"]


async def test_an_engine_that_refuses_the_schema_is_told_it_in_words_alone(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.faults.append(faults.answer_with(400, '{"error": {"message": "unsupported grammar"}}'))
    replies = iter(["no JSON", '{"zebra": 3}'])
    server.reply = lambda body: next(replies)
    extracted = await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert extracted.value == {"zebra": 3}
    assert [("response_format" in it) for it in server.bodies] == [True, False, False]
    for told in server.bodies[1:]:
        assert told["messages"][0]["content"].endswith(SCHEMA)


async def test_an_engine_that_refuses_the_question_itself_is_asked_once_more_and_told_of(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.faults.extend([faults.answer_with(400)] * 3)
    with pytest.raises(InvalidInput) as refused:
        await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert refused.value.code == "ENGINE_REFUSED"
    assert len(server.bodies) == 2


async def test_a_misfit_that_is_too_long_to_be_shown_is_a_schema_that_is_not_met(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.reply = lambda body: "never " * faults.CONTEXT_TOKENS
    with pytest.raises(Internal) as refused:
        await reasoning.extract(QUESTION, SCHEMA, Sampling(max_tokens=3 * faults.CONTEXT_TOKENS))
    assert refused.value.code == "SCHEMA_NOT_MET"
    assert len(server.bodies) == 2


async def test_a_model_that_never_fits_is_given_up(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.reply = lambda body: "never"
    with pytest.raises(Internal) as refused:
        await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert refused.value.code == "SCHEMA_NOT_MET"
    assert len(server.bodies) == 2


async def test_an_engine_that_may_not_hold_to_a_schema_is_told_it_in_words(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.program.owner = "somebody"
    server.reply = lambda body: '```json\n{"zebra": 3}\n```'
    extracted = await reasoning.extract(QUESTION, SCHEMA, Sampling())
    assert extracted.value == {"zebra": 3}
    [asked] = server.bodies[0]["messages"]
    assert asked["content"].startswith("How many?\n\nAnswer with one JSON object")
    assert asked["content"].endswith(SCHEMA)


async def test_an_engine_that_holds_to_a_schema_reads_the_question_alone(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.reply = lambda body: '{"zebra": 3}'
    await reasoning.extract(QUESTION, SCHEMA, Sampling())
    [asked] = server.bodies[0]["messages"]
    assert asked["content"] == "How many?"


@pytest.mark.parametrize("owner", ["llamacpp", "vllm"])
async def test_tokens_are_counted_by_the_engine(
    reasoning: Reasoning, server: EngineServer, owner: str
) -> None:
    server.program.owner = owner
    counted = await reasoning.count_tokens(["one two", "", "one two three"])
    assert (counted.counts, counted.exact) == ((2, 0, 3), True)
    assert counted.context_tokens == faults.CONTEXT_TOKENS


async def test_tokens_that_the_engine_does_not_count_are_overestimated(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.program.owner = "somebody"
    counted = await reasoning.count_tokens(["one two", "", "蛋糕"])
    assert (counted.counts, counted.exact) == ((4, 0, 3), False)


@pytest.mark.parametrize(("owner", "size"), [("llamacpp", "has 3000"), ("somebody", "has about")])
async def test_who_sends_too_much_is_told_how_much_it_was(
    reasoning: Reasoning, server: EngineServer, owner: str, size: str
) -> None:
    server.program.owner = owner
    turns = [Turn(Role.USER, ("word " * 3000,))]
    for asking in (
        reasoning.generate(turns, Sampling(max_tokens=7)),
        reasoning.extract(turns, SCHEMA, Sampling(max_tokens=7)),
        anext(reasoning.generate_stream(turns, Sampling(max_tokens=7))),
    ):
        with pytest.raises(InvalidInput, match=size) as refused:
            await asking
        assert refused.value.code == "CONTEXT_EXCEEDED"
        assert "may have 7" in refused.value.message
        assert str(faults.CONTEXT_TOKENS) in refused.value.message


async def test_the_model_is_ready_while_its_engine_answers(
    reasoning: Reasoning, server: EngineServer
) -> None:
    assert (await reasoning.model()).ready is True
    server.models_fault = faults.answer_with(503)
    assert (await reasoning.model()).ready is False


ANSWERS = ("yes", "no")


async def test_answers_are_weighed_by_a_single_token(
    reasoning: Reasoning, server: EngineServer
) -> None:
    server.beginnings = lambda body: {"Yes": 0.6, "no": 0.2, "I": 0.2}
    chosen = await reasoning.choose(QUESTION, ANSWERS)
    assert chosen.probabilities == pytest.approx((0.75, 0.25))
    assert chosen.weighed
    [body] = server.bodies
    assert (body["max_tokens"], body["temperature"], body["top_logprobs"]) == (1, 0, 20)
    assert "response_format" not in body


@pytest.mark.parametrize("owner", ["somebody", "llamacpp"])
async def test_an_engine_that_does_not_weigh_the_answers_chooses_one(
    reasoning: Reasoning, server: EngineServer, owner: str
) -> None:
    server.program.owner = owner
    server.beginnings = lambda body: {"I": 0.9}
    server.reply = lambda body: '{"answer": "no"}' if "response_format" in body else "I think"
    chosen = await reasoning.choose(QUESTION, ANSWERS)
    assert (chosen.probabilities, chosen.weighed) == ((0.0, 1.0), False)
    assert all("logprobs" not in it for it in server.bodies if owner == "somebody")
