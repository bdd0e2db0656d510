import asyncio

from services.jobs.bells import Bells


async def test_a_bell_wakes_its_waiter():
    bells = Bells()
    with bells.hung("a") as bell:
        waiting = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        bells.ring("a")
        async with asyncio.timeout(5):
            await waiting


async def test_a_bell_that_rang_before_is_heard_once():
    bells = Bells()
    with bells.hung("a") as bell:
        bells.ring("a")
        bells.ring("a")
        await bell.wait(60)
        waiting = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_a_wait_ends_in_time():
    with Bells().hung("a") as bell:
        async with asyncio.timeout(5):
            await bell.wait(0)


async def test_only_the_bells_of_a_topic_ring():
    bells = Bells()
    with bells.hung("a") as one, bells.hung("a") as two, bells.hung("b") as other:
        bells.ring("a")
        bells.ring("nobody listens")
        await asyncio.gather(one.wait(60), two.wait(60))
        waiting = asyncio.create_task(other.wait(60))
        await asyncio.sleep(0)
        assert not waiting.done()
        bells.ring_all()
        await waiting
