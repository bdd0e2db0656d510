from collections.abc import AsyncIterator

import pytest

from services.chassis.errors import InvalidInput, Unavailable
from services.engine.domain import Clip, Frame, Message, Picture, PictureType, Role, Sampling, Text
from services.engine.errors import MediaRefused
from services.engine.machine import Capabilities, EngineKind, Load, Released
from services.engine.openai import OpenAIEngine
from tests.doubles import engine_server as faults
from tests.doubles.engine_server import EngineServer, engine_server
from tests.doubles.pictures import scene_png

PICTURE = Picture(scene_png(), PictureType.PNG)
CLIP = Clip((Frame(Picture(b"\xff\xd8x", PictureType.JPEG), 0.0),) * 2)
SAMPLING = Sampling(max_tokens=16)


@pytest.fixture
async def server() -> AsyncIterator[EngineServer]:
    async with engine_server() as running:
        yield running


@pytest.fixture
async def engine(server: EngineServer) -> AsyncIterator[OpenAIEngine]:
    async with OpenAIEngine(server.url) as opened:
        yield opened


async def send(engine: OpenAIEngine, *parts: Text | Picture | Clip) -> None:
    await engine.complete([Message(Role.USER, parts)], SAMPLING, timeout=10)


async def test_llama_says_what_it_takes(server: EngineServer, engine: OpenAIEngine) -> None:
    assert await engine.capabilities() == Capabilities(
        EngineKind.LLAMA_CPP,
        "b0-unknown",
        pictures=None,
        clips=0,
        schema=True,
        likelihoods=True,
        parallel=2,
    )
    assert await engine.load() == Load(running=0, waiting=0)


async def test_a_llama_without_eyes_takes_no_pictures(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.program.sees = False
    assert (await engine.capabilities()).pictures == 0


async def test_vllm_says_what_it_is(server: EngineServer, engine: OpenAIEngine) -> None:
    server.program.owner = "vllm"
    assert await engine.capabilities() == Capabilities(
        EngineKind.VLLM, "0.32.0", clips=None, schema=True, likelihoods=True
    )
    assert await engine.load() == Load(running=0, waiting=0, cache_usage=0.25)


async def test_a_server_that_says_nothing_of_itself_is_asked_nothing(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.program.owner = "somebody"
    assert await engine.capabilities() == Capabilities()
    assert await engine.load() == Load()
    assert await engine.release_memory() == ()


async def test_what_vllm_refuses_is_known_from_then_on(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.program.owner, server.program.most = "vllm", {"image": 2, "video": 0}
    with pytest.raises(MediaRefused) as refused:
        await send(engine, PICTURE, PICTURE, PICTURE)
    assert refused.value.code == "TOO_MANY_IMAGES"
    with pytest.raises(MediaRefused):
        await send(engine, CLIP)
    can = await engine.capabilities()
    assert (can.pictures, can.clips) == (2, 0)


async def test_a_limit_that_was_not_passed_is_not_believed(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    said = '{"error":{"message":"At most 2 image(s) may be provided in one prompt."}}'
    server.faults.append(faults.answer_with(400, said))
    with pytest.raises(InvalidInput):
        await send(engine, PICTURE)
    assert (await engine.capabilities()).pictures is None


async def test_words_of_the_prompt_in_a_refusal_set_no_limit(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    said = '{"error":{"message":"bad input: At most 0 image(s) may be provided in one prompt."}}'
    server.faults.append(faults.answer_with(400, said))
    with pytest.raises(InvalidInput) as refused:
        await send(engine, PICTURE)
    assert refused.value.code == "ENGINE_REFUSED"
    assert (await engine.capabilities()).pictures is None


async def test_an_engine_that_goes_away_is_asked_anew(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    assert (await engine.capabilities()).kind is EngineKind.LLAMA_CPP
    server.faults.append(faults.answer_with(503))
    with pytest.raises(Unavailable):
        await send(engine, PICTURE)
    server.program.owner = "vllm"
    assert (await engine.capabilities()).kind is EngineKind.VLLM


async def test_a_clip_is_sent_as_vllm_takes_it(server: EngineServer, engine: OpenAIEngine) -> None:
    await send(engine, CLIP, Text("?"))
    clip, _ = server.bodies[0]["messages"][0]["content"]
    assert clip == {"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,/9h4,/9h4"}}


async def test_vllm_drops_its_caches_where_it_offers_to(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    server.program.owner = "vllm"
    every = (Released.PREFIX_CACHE, Released.MEDIA_CACHE, Released.ENCODER_CACHE)
    assert await engine.release_memory() == every
    server.program.erases = False
    assert await engine.release_memory() == ()


async def test_a_busy_vllm_keeps_every_cache(server: EngineServer, engine: OpenAIEngine) -> None:
    server.program.owner, server.program.running = "vllm", 1
    assert await engine.release_memory() == ()
    assert server.program.dropped == ["reset_prefix_cache"]


async def test_llama_erases_every_slot_where_it_offers_to(
    server: EngineServer, engine: OpenAIEngine
) -> None:
    assert await engine.release_memory() == (Released.PREFIX_CACHE,)
    assert server.program.dropped == ["0", "1"]
    server.program.erases = False
    assert await engine.release_memory() == ()


async def test_a_busy_llama_erases_nothing(server: EngineServer, engine: OpenAIEngine) -> None:
    server.program.running = 1
    assert await engine.release_memory() == ()
    assert server.program.dropped == []
