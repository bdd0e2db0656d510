import asyncio
from collections import Counter

import pytest

from services.chassis.errors import Unavailable
from services.jobs.adapters.postgres.batches import Batches


class Written:
    """Writes (key, item) pairs; the first batch waits until it is let."""

    def __init__(self, error=None):
        self.batches = []
        self.error = error
        self.begun = asyncio.Event()
        self.let = asyncio.Event()

    async def __call__(self, items):
        self.batches.append(list(items))
        self.begun.set()
        await self.let.wait()
        if self.error and any(name == "bad" for _, name in items):
            raise self.error
        return [name for _, name in items]


def batches(written, **options):
    return Batches(written, key=lambda item: item[0], **options)


async def put_all(made, items):
    return await asyncio.gather(*(made.put(item) for item in items), return_exceptions=True)


async def test_what_comes_at_once_is_written_at_once():
    written = Written()
    written.let.set()
    items = [(n, f"item {n}") for n in range(5)]
    assert await put_all(batches(written), items) == [name for _, name in items]
    assert written.batches == [items]


async def test_two_of_one_key_are_written_one_after_the_other():
    written = Written()
    written.let.set()
    items = [(1, "first"), (2, "other"), (1, "second"), (1, "third")]
    assert await put_all(batches(written), items) == ["first", "other", "second", "third"]
    assert written.batches == [[items[0], items[1]], [items[2]], [items[3]]]


async def test_a_batch_is_no_heavier_than_it_may_be_by_more_than_one_item():
    written = Written()
    written.let.set()
    items = [(n, "x" * 4) for n in range(5)]
    await put_all(batches(written, weigh=lambda item: len(item[1]), most_weight=8), items)
    assert [len(batch) for batch in written.batches] == [2, 2, 1]


async def test_of_a_refused_batch_only_what_is_at_fault_fails():
    written = Written(ValueError("no"))
    written.let.set()
    told = await put_all(batches(written), [(1, "good"), (2, "bad"), (3, "good")])
    assert [told[0], told[2]] == ["good", "good"]
    assert isinstance(told[1], ValueError)


async def test_when_the_store_is_down_nothing_is_tried_twice():
    written = Written(Unavailable("down"))
    written.let.set()
    told = await put_all(batches(written), [(1, "good"), (2, "bad")])
    assert [type(it) for it in told] == [Unavailable, Unavailable]
    assert Counter(map(len, written.batches)) == {2: 1}


async def test_what_is_cancelled_before_its_batch_begins_is_not_written():
    written = Written()
    made = batches(written)
    first = asyncio.create_task(made.put((1, "first")))
    await written.begun.wait()
    dropped = asyncio.create_task(made.put((2, "dropped")))
    await asyncio.sleep(0)
    dropped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropped
    written.let.set()
    assert await first == "first"
    await made.close()
    assert written.batches == [[(1, "first")]]
