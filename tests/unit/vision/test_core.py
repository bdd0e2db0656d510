import asyncio
import base64
import io
from contextlib import aclosing
from datetime import timedelta

import pytest
from PIL import Image

from services.chassis import call
from services.chassis.errors import Exhausted, InvalidInput, TimedOut
from services.engine.domain import FinishReason, Role, Sampling, Turn
from services.vision.core import DESCRIBE_PROMPT, Vision
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer
from tests.doubles.pictures import encode, scene_png

PICTURE = scene_png()


def question(*parts: str | bytes) -> list[Turn]:
    return [Turn(Role.USER, parts)]


def sent(server: EngineServer, part: int, *, message: int = 0) -> object:
    return server.bodies[-1]["messages"][message]["content"][part]


async def test_a_conversation_is_answered_with_its_cost(vision: Vision) -> None:
    generated = await vision.generate(question(PICTURE, "Is it clean?"), Sampling(max_tokens=64))
    assert generated.answer.text == faults.SENTENCE
    assert generated.answer.finish_reason is FinishReason.STOP
    assert generated.answer.input_tokens == 3 + faults.IMAGE_TOKENS
    assert generated.answer.output_tokens == 10
    assert generated.processing_time == timedelta(seconds=0.25)


async def test_a_conversation_is_answered_piece_by_piece_with_its_cost_at_the_end(
    vision: Vision,
) -> None:
    asked = question(PICTURE, "Is it clean?")
    pieces = [it async for it in vision.generate_stream(asked, Sampling(max_tokens=64))]
    assert "".join(it.delta.text for it in pieces) == faults.SENTENCE
    assert [it.processing_time for it in pieces] == [
        timedelta(seconds=0.25) * (place + 1) for place in range(11)
    ]
    last = pieces[-1].delta
    assert last.finish_reason is FinishReason.STOP
    assert (last.input_tokens, last.output_tokens) == (3 + faults.IMAGE_TOKENS, 10)


async def test_leaving_a_stream_gives_its_place_back(vision: Vision, server: EngineServer) -> None:
    server.faults.append(faults.stream_then_hang)
    async with aclosing(vision.generate_stream(question("?"), Sampling())) as pieces:
        assert (await anext(pieces)).delta.text == "The "
        with pytest.raises(Exhausted):
            await vision.describe(PICTURE, "")
    assert (await vision.describe(PICTURE, "")).answer.text


@pytest.mark.parametrize(
    "turns", [question(b"no picture"), question(*[PICTURE] * 17), [Turn(Role.ASSISTANT, ("!",))]]
)
async def test_a_stream_is_refused_as_a_whole_answer_is(
    vision: Vision, server: EngineServer, turns: list[Turn]
) -> None:
    with pytest.raises(InvalidInput) as whole:
        await vision.generate(turns, Sampling())
    with pytest.raises(InvalidInput) as streamed:
        await anext(vision.generate_stream(turns, Sampling()))
    assert streamed.value.violations == whole.value.violations
    assert server.bodies == []


async def test_parts_and_turns_reach_the_engine_in_their_order(
    vision: Vision, server: EngineServer
) -> None:
    turns = [
        Turn(Role.SYSTEM, ("Be short.",)),
        Turn(Role.USER, ("first", PICTURE, "then", PICTURE)),
        Turn(Role.ASSISTANT, ("ok",)),
        Turn(Role.USER, ("and?",)),
    ]
    await vision.generate(turns, Sampling())
    messages = server.bodies[0]["messages"]
    assert [it["role"] for it in messages] == ["system", "user", "assistant", "user"]
    assert [it["type"] for it in messages[1]["content"]] == ["text", "image_url"] * 2


async def test_without_a_number_the_room_limits_the_tokens(
    vision: Vision, server: EngineServer
) -> None:
    generated = await vision.generate(question("?"), Sampling())
    assert server.bodies[0]["max_tokens"] == 7
    assert generated.answer.finish_reason is FinishReason.LENGTH


async def test_a_bad_picture_is_named_by_its_place(vision: Vision, server: EngineServer) -> None:
    turns = [Turn(Role.SYSTEM, ("x",)), Turn(Role.USER, ("y", PICTURE, b"no picture"))]
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(turns, Sampling())
    assert refused.value.violations[0].field == "messages[1].parts[2].image"
    assert server.bodies == []


async def test_a_conversation_that_ends_with_the_model_is_refused(vision: Vision) -> None:
    turns = [*question("hello"), Turn(Role.ASSISTANT, ("hello",))]
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(turns, Sampling())
    assert refused.value.violations[0].field == "messages[1].role"


async def test_sixteen_pictures_are_taken_and_seventeen_refused(vision: Vision) -> None:
    await vision.generate(question(*[PICTURE] * 16), Sampling())
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(question(*[PICTURE] * 17), Sampling())
    assert refused.value.code == "TOO_MANY_IMAGES"
    assert "16" in refused.value.remedy


async def test_a_description_tells_the_size_of_the_picture_as_it_was_sent(
    vision: Vision, server: EngineServer
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = encode(Image.new("RGB", (2_400, 1_800), "red"), "JPEG", exif=exif)
    described = await vision.describe(lying, "")
    assert (described.width, described.height) == (1_800, 2_400)
    url = sent(server, 0)["image_url"]["url"]
    shown = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert shown.width < shown.height
    assert shown.width * shown.height <= 1280 * 28 * 28


async def test_a_description_is_asked_for_plainly_unless_there_is_a_prompt(
    vision: Vision, server: EngineServer
) -> None:
    await vision.describe(PICTURE, "")
    assert sent(server, 1) == {"type": "text", "text": DESCRIBE_PROMPT}
    assert server.bodies[0]["temperature"] == 0
    await vision.describe(PICTURE, "Is there a ladder?")
    assert sent(server, 1) == {"type": "text", "text": "Is there a ladder?"}


async def test_more_calls_than_the_engine_takes_are_refused_at_once(
    vision: Vision, server: EngineServer
) -> None:
    server.release = asyncio.Event()
    first = asyncio.create_task(vision.describe(PICTURE, ""))
    async with asyncio.timeout(5):
        await server.chatting.wait()
        with pytest.raises(Exhausted):
            await vision.describe(PICTURE, "")
        server.release.set()
        assert (await first).answer.text


async def test_the_engine_gets_no_more_time_than_the_call_has(
    vision: Vision, server: EngineServer
) -> None:
    server.faults.append(faults.hang)
    deadline = asyncio.get_running_loop().time() + 0.2
    with call.use(call.Call(deadline=deadline)):
        async with asyncio.timeout(5):
            with pytest.raises(TimedOut):
                await vision.describe(PICTURE, "")


async def test_the_model_is_ready_while_its_engine_answers_and_carries_the_notice(
    vision: Vision, server: EngineServer
) -> None:
    model = await vision.model()
    assert (model.info.name, model.ready) == (faults.MODEL, True)
    assert model.info.context_tokens == faults.CONTEXT_TOKENS
    assert model.notice == "knows drawn aisles only"
    server.models_fault = faults.answer_with(503)
    assert (await vision.model()).ready is False
