import asyncio
from dataclasses import replace

import pytest

from services.chassis.errors import Unavailable
from services.engine.machine import Load, Released
from services.vision import device
from services.vision.device import REST_SECONDS, Keeper
from services.vision.domain import Device
from tests.doubles.machines import FakeMachine, HandClock, ReleasingEngine

GIB = 2**30


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine(Device("card", 80 * GIB, 40 * GIB, 30 * GIB))


@pytest.fixture
def engine(machine: FakeMachine) -> ReleasingEngine:
    return ReleasingEngine(machine)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def keeper(engine: ReleasingEngine, machine: FakeMachine, clock: HandClock) -> Keeper:
    return Keeper(engine, machine, release_at=0.85, clock=clock)


async def test_a_device_is_told_with_how_busy_its_engine_is(
    keeper: Keeper, engine: ReleasingEngine
) -> None:
    engine.told = Load(running=2, waiting=1, cache_usage=0.5)
    assert await keeper.device() == Device("card", 80 * GIB, 40 * GIB, 30 * GIB, 0.5, 2, 1)


async def test_an_engine_knows_best_what_it_holds(keeper: Keeper, engine: ReleasingEngine) -> None:
    engine.told = Load(memory_bytes=5)
    assert (await keeper.device()).engine_memory_bytes == 5
    engine.told = Load(memory_bytes=5, device_memory_bytes=4)
    assert (await keeper.device()).engine_memory_bytes == 4


async def test_an_engine_that_has_no_model_loaded_still_holds_what_its_process_does(
    keeper: Keeper, engine: ReleasingEngine, machine: FakeMachine
) -> None:
    engine.told = Load(memory_bytes=0, device_memory_bytes=0)
    assert (await keeper.device()).engine_memory_bytes == 30 * GIB
    machine.device = Device()
    assert (await keeper.device()).engine_memory_bytes is None


async def test_a_device_is_told_though_its_engine_is_down(
    keeper: Keeper, engine: ReleasingEngine
) -> None:
    engine.fault = Unavailable("the engine is down")
    assert (await keeper.device()).memory_total_bytes == 80 * GIB
    with pytest.raises(Unavailable):
        await keeper.release()


async def test_a_device_is_told_though_its_engine_stands_still(
    keeper: Keeper, engine: ReleasingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "LOAD_SECONDS", 0.01)
    monkeypatch.setattr(engine, "load", asyncio.Event().wait)
    async with asyncio.timeout(5):
        assert (await keeper.device()).memory_total_bytes == 80 * GIB


async def test_what_was_given_back_is_told_where_it_can_be(
    keeper: Keeper, engine: ReleasingEngine, machine: FakeMachine
) -> None:
    engine.gives_back = 3 * GIB
    relief = await keeper.release()
    assert relief.released == (Released.PREFIX_CACHE.value,)
    assert relief.released_bytes == 3 * GIB
    machine.device = Device()
    assert (await keeper.release()).released_bytes is None


async def test_passing_the_threshold_releases_once_until_it_was_left(
    keeper: Keeper, engine: ReleasingEngine, machine: FakeMachine, clock: HandClock
) -> None:
    def used(share: float) -> None:
        machine.device = replace(machine.device, memory_used_bytes=int(share * 80 * GIB))

    seen = []
    for share in (0.5, 0.86, 0.9, 0.8, 0.9, 0.7, 0.86):
        used(share)
        clock.seconds += REST_SECONDS
        seen.append(await keeper.look())
    assert seen == [False, True, False, False, False, False, True]
    assert engine.releases == 2


async def test_two_releases_have_rest_between_them(
    keeper: Keeper, engine: ReleasingEngine, clock: HandClock
) -> None:
    seen = []
    for usage, seconds in ((0.9, 0.0), (0.1, 1.0), (0.9, 1.0), (0.9, REST_SECONDS)):
        engine.told = Load(cache_usage=usage)
        clock.seconds += seconds
        seen.append(await keeper.look())
    assert seen == [True, False, False, True]


async def test_a_keeper_looks_by_itself_and_survives_an_engine_that_is_down(
    keeper: Keeper, engine: ReleasingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "LOOK_SECONDS", 0)
    engine.fault = Unavailable("the engine is down")
    engine.told = Load(cache_usage=0.9)
    async with asyncio.timeout(5), keeper.watching():
        await engine.asked.wait()
        engine.fault = None
        await engine.released.wait()
    assert engine.releases == 1


async def test_a_threshold_of_zero_never_releases(
    engine: ReleasingEngine, machine: FakeMachine, clock: HandClock
) -> None:
    async with Keeper(engine, machine, release_at=0, clock=clock).watching():
        pass
    assert engine.releases == 0
