import asyncio
import base64
import io
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from services.chassis import call
from services.chassis.errors import Exhausted, Internal, InvalidInput, TimedOut
from services.chassis.limits import BODY_BYTES
from services.engine.domain import (
    FinishReason,
    Role,
    Sampling,
    SentPart,
    SentPicture,
    SentVideo,
    Turn,
)
from services.media import image
from services.media.video import VideoDecoder
from services.vision import prompts
from services.vision.config import VisionConfig
from services.vision.core import Vision
from services.vision.domain import Length, Severity, Wish
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer
from tests.doubles.pictures import BROKEN_JPEG, encode, scene_png
from tests.doubles.strangers import stranger
from tests.doubles.videos import sound_alone, video

PICTURE = SentPicture(scene_png())
NO_PICTURE = SentPicture(b"no picture")
BLUE = encode(Image.new("RGB", (32, 32), "blue"), "PNG")
PLAIN = Wish()
SCENE = {
    "objects": [{"name": "box", "count": 3}],
    "people": [{"description": "a person in blue", "activity": ""}],
    "activities": ["stocking"],
    "risks": [
        {"description": "a ladder", "severity": "low"},
        {"description": "a spill", "severity": "high"},
    ],
    "suggestions": ["mop the floor"],
}


def question(*parts: SentPart) -> list[Turn]:
    return [Turn(Role.USER, parts)]


def sent(server: EngineServer, part: int, *, message: int = -1) -> object:
    return server.bodies[-1]["messages"][message]["content"][part]


def told(server: EngineServer) -> Callable[[Any], str]:
    return lambda body: json.dumps(SCENE) if "response_format" in body else faults.SENTENCE


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
            await vision.describe(PICTURE, PLAIN)
    assert (await vision.describe(PICTURE, PLAIN)).answer.text


@pytest.mark.parametrize(
    "turns", [question(NO_PICTURE), question(*[PICTURE] * 17), [Turn(Role.ASSISTANT, ("!",))]]
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
    turns = [Turn(Role.SYSTEM, ("x",)), Turn(Role.USER, ("y", PICTURE, NO_PICTURE))]
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
    described = await vision.describe(SentPicture(lying), PLAIN)
    assert (described.width, described.height) == (1_800, 2_400)
    url = sent(server, 0)["image_url"]["url"]
    shown = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert shown.width < shown.height
    assert shown.width * shown.height <= 1280 * 28 * 28


async def test_a_description_is_asked_for_in_the_words_of_the_wish(
    vision: Vision, server: EngineServer
) -> None:
    await vision.describe(PICTURE, PLAIN)
    assert sent(server, 1) == {"type": "text", "text": prompts.PLAIN}
    assert server.bodies[0]["temperature"] == 0
    wish = Wish("Is it safe?", "es", Length.SHORT, sampling=Sampling(5, temperature=0.5, seed=3))
    await vision.describe(PICTURE, wish)
    text = sent(server, 1)["text"]
    assert text == "Is it safe? Answer in one sentence. Write in Spanish (es)."
    asked = server.bodies[-1]
    assert (asked["max_tokens"], asked["temperature"], asked["seed"]) == (5, 0.5, 3)
    assert [it["role"] for it in asked["messages"]] == ["system", "user"]


async def test_a_scene_comes_with_the_description_and_costs_more(
    vision: Vision, server: EngineServer
) -> None:
    server.reply = told(server)
    described = await vision.describe(PICTURE, Wish(analyze=True))
    assert described.answer.text.startswith("The shelf")
    assert described.scene is not None
    assert described.scene_problem == ""
    assert [it.severity for it in described.scene.risks] == [Severity.HIGH, Severity.LOW]
    assert described.scene.objects[0].count == 3
    alone = await vision.describe(PICTURE, PLAIN)
    assert alone.scene is None
    assert alone.scene_problem == ""
    assert described.answer.input_tokens > alone.answer.input_tokens


@pytest.mark.parametrize("answer", ["no JSON", "{}", "[]", json.dumps(SCENE | {"risks": "none"})])
async def test_a_scene_that_does_not_fit_is_a_problem_and_never_made_up(
    vision: Vision, server: EngineServer, answer: str
) -> None:
    server.reply = lambda body: answer if "response_format" in body else faults.SENTENCE
    described = await vision.describe(PICTURE, Wish(analyze=True))
    assert described.answer.text
    assert described.scene is None
    assert "did not give" in described.scene_problem


@pytest.mark.parametrize("status", [400, 500])
async def test_a_picture_that_the_engine_cannot_decode_is_named_by_its_place(
    vision: Vision, server: EngineServer, status: int
) -> None:
    broken = SentPicture(BROKEN_JPEG)
    asked = question(PICTURE, "?", broken)
    for answer, field in (
        (vision.generate(asked, Sampling()), "messages[0].parts[2].image"),
        (anext(vision.generate_stream(asked, Sampling())), "messages[0].parts[2].image"),
        (vision.describe(broken, PLAIN), "image"),
    ):
        server.faults.append(faults.answer_with(status))
        with pytest.raises(InvalidInput) as refused:
            await answer
        assert refused.value.code == "IMAGE_DAMAGED"
        assert refused.value.violations[0].field == field


async def test_good_pictures_are_not_blamed_for_an_engine_that_fails(
    vision: Vision, server: EngineServer
) -> None:
    server.faults.append(faults.answer_with(500))
    with pytest.raises(Internal):
        await vision.describe(SentPicture(encode(Image.new("RGB", (64, 64)), "JPEG")), PLAIN)


async def test_an_engine_that_refuses_a_schema_harms_no_description(
    vision: Vision, server: EngineServer
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text="no response_format here")

    async def answer(request: web.Request) -> web.StreamResponse:
        return await server._answer(request, server.bodies[-1])

    server.faults.extend([answer, refuse])
    described = await vision.describe(PICTURE, Wish(analyze=True))
    assert described.answer.text
    assert described.scene is None
    assert described.scene_problem


async def test_a_model_that_follows_no_instructions_is_asked_plainly_and_gives_no_scene(
    config: VisionConfig, vision: Vision, server: EngineServer
) -> None:
    vision._follows = False
    described = await vision.describe(PICTURE, Wish("Q?", "es", Length.SHORT, analyze=True))
    assert len(server.bodies) == 1
    assert [it["role"] for it in server.bodies[0]["messages"]] == ["user"]
    assert sent(server, 1) == {"type": "text", "text": "Q?"}
    assert described.scene is None
    assert "no structured fields" in described.scene_problem
    assert (await vision.model()).can.schema is False


async def test_named_pictures_are_opened_and_the_same_is_shown_as_one(
    vision: Vision, server: EngineServer
) -> None:
    async with stranger() as web_server:
        web_server.body = PICTURE.data
        named = SentPicture(uri=web_server.url("/file"))
        await vision.generate(question(named, PICTURE, named, "same?"), Sampling())
        assert len(web_server.requests) == 1
    urls = [part["image_url"]["url"] for part in server.bodies[0]["messages"][0]["content"][:3]]
    assert len(set(urls)) == 1


async def test_the_same_media_are_decoded_once_in_a_conversation(
    vision: Vision, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    prepare, frames = image.prepare, VideoDecoder.frames

    async def prepare_and_count(data: bytes, **options: Any) -> image.PreparedImage:
        decoded.append("picture")
        return await prepare(data, **options)

    async def find_and_count(self: VideoDecoder, data: bytes, *options: Any, **more: Any) -> Any:
        decoded.append("video")
        return await frames(self, data, *options, **more)

    monkeypatch.setattr(image, "prepare", prepare_and_count)
    monkeypatch.setattr(VideoDecoder, "frames", find_and_count)
    same = SentPicture(uri=f"data:;base64,{base64.b64encode(PICTURE.data).decode()}")
    film = SentVideo(video(), most_frames=1)
    earlier = [Turn(Role.USER, (PICTURE, film)), Turn(Role.ASSISTANT, ("An aisle.",))]
    await vision.generate([*earlier, *question(same, PICTURE, film, "And now?")], Sampling())
    assert decoded == ["picture", "video"]
    await vision.generate(question(PICTURE, SentPicture(BLUE), "The same?"), Sampling())
    assert decoded[2:] == ["picture", "picture"]


@pytest.mark.parametrize(
    ("uri", "field", "code"),
    [
        ("http://10.0.0.1/x", "messages[0].parts[1].image.uri", "ADDRESS_NOT_ALLOWED"),
        ("data:;base64,aGk=", "messages[0].parts[1].image.uri", "IMAGE_UNKNOWN"),
        ("media://abc", "messages[0].parts[1].image.uri", "MEDIA_NOT_FOUND"),
    ],
)
async def test_what_is_named_in_vain_is_told_by_its_field(
    vision: Vision, server: EngineServer, uri: str, field: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(question("look", SentPicture(uri=uri)), Sampling())
    assert (refused.value.violations[0].field, refused.value.code) == (field, code)
    assert server.bodies == []


async def test_named_pictures_together_may_be_as_large_as_a_request(vision: Vision) -> None:
    async with stranger() as web_server:
        web_server.body = bytes(BODY_BYTES // 2 + 1)
        named = [SentPicture(uri=web_server.url(f"/file?{n}")) for n in range(2)]
        with pytest.raises(InvalidInput) as refused:
            await vision.generate(question(*named), Sampling())
    assert refused.value.code == "MEDIA_TOO_LARGE"


async def test_a_video_is_shown_as_frames_with_their_times(
    vision: Vision, server: EngineServer
) -> None:
    clip = SentVideo(video(), most_frames=2)
    await vision.generate(question("What happens?", clip), Sampling())
    kinds = [it["type"] for it in server.bodies[0]["messages"][0]["content"]]
    assert kinds == ["text", "text", "image_url", "text", "image_url"]
    assert sent(server, 1)["text"] == "[0.0 s]"
    assert sent(server, 3)["text"] == "[3.8 s]"


async def test_a_video_without_a_picture_is_told_by_its_field(vision: Vision) -> None:
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(question("?", SentVideo(sound_alone())), Sampling())
    assert refused.value.code == "VIDEO_MISSING"
    assert refused.value.violations[0].field == "messages[0].parts[1].video"


async def test_four_videos_are_the_most(vision: Vision) -> None:
    with pytest.raises(InvalidInput) as refused:
        await vision.generate(question(*[SentVideo(video())] * 5), Sampling())
    assert refused.value.code == "TOO_MANY_VIDEOS"


async def test_more_calls_than_the_engine_takes_are_refused_at_once(
    vision: Vision, server: EngineServer
) -> None:
    server.release = asyncio.Event()
    first = asyncio.create_task(vision.describe(PICTURE, PLAIN))
    async with asyncio.timeout(5):
        await server.chatting.wait()
        with pytest.raises(Exhausted):
            await vision.describe(PICTURE, PLAIN)
        server.release.set()
        assert (await first).answer.text


async def test_nothing_is_fetched_for_a_call_that_is_refused(
    vision: Vision, server: EngineServer
) -> None:
    server.release = asyncio.Event()
    first = asyncio.create_task(vision.describe(PICTURE, PLAIN))
    async with asyncio.timeout(5), stranger() as web_server:
        await server.chatting.wait()
        named = SentPicture(uri=web_server.url("/file"))
        with pytest.raises(Exhausted):
            await vision.describe(named, PLAIN)
        with pytest.raises(Exhausted):
            await vision.generate(question(named), Sampling())
        server.release.set()
        await first
        assert web_server.requests == []


async def test_what_is_fetched_waits_within_the_same_bound(
    config: VisionConfig,
    server: EngineServer,
    vision_of: Callable[[VisionConfig], AbstractAsyncContextManager[Vision]],
) -> None:
    bounded = config.model_copy(update={"engine_waiting": 9, "engine_waiting_bytes": 1000})
    server.release = asyncio.Event()
    async with vision_of(bounded) as vision, asyncio.timeout(5), stranger() as web_server:
        web_server.body = bytes(1000)
        first = asyncio.create_task(vision.describe(PICTURE, PLAIN))
        await server.chatting.wait()
        with pytest.raises(Exhausted):
            await vision.describe(SentPicture(uri=web_server.url("/file")), PLAIN)
        with pytest.raises(Exhausted):
            await vision.describe(SentPicture(bytes(1001)), PLAIN)
        assert len(web_server.requests) == 1
        server.release.set()
        await first


async def test_the_engine_gets_no_more_time_than_the_call_has(
    vision: Vision, server: EngineServer
) -> None:
    server.faults.append(faults.hang)
    deadline = asyncio.get_running_loop().time() + 0.2
    with call.use(call.Call(deadline=deadline)):
        async with asyncio.timeout(5):
            with pytest.raises(TimedOut):
                await vision.describe(PICTURE, PLAIN)


async def test_the_model_is_ready_while_its_engine_answers_and_carries_the_notice(
    vision: Vision, server: EngineServer
) -> None:
    model = await vision.model()
    assert (model.info.name, model.ready) == (faults.MODEL, True)
    assert model.info.context_tokens == faults.CONTEXT_TOKENS
    assert model.notice == "knows drawn aisles only"
    server.models_fault = faults.answer_with(503)
    assert (await vision.model()).ready is False
