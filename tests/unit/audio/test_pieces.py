from itertools import pairwise

import numpy as np
import pytest

from services.audio import pieces
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles.recordings import silence, tone


async def in_blocks(samples, size=7_000):
    for at in range(0, len(samples), size):
        yield samples[at : at + size]


async def cut(samples, seconds=30.0):
    return [it async for it in pieces.cut(in_blocks(samples), seconds=lambda: seconds)]


async def test_pieces_together_are_the_whole_recording():
    whole = np.random.default_rng(2).normal(0, 0.1, 100 * SAMPLE_RATE_HZ).astype(np.float32)
    found = await cut(whole)
    assert np.array_equal(np.concatenate([piece.samples for piece in found]), whole)
    assert max(piece.seconds for piece in found) <= 30


async def test_each_piece_begins_where_the_one_before_ends():
    found = await cut(tone(100))
    assert found[0].start_seconds == 0
    for before, after in pairwise(found):
        assert after.start_seconds == pytest.approx(before.end_seconds)


async def test_a_piece_ends_in_the_pause_before_its_longest_end():
    speech = np.concatenate([tone(20), silence(0.5), tone(20)])
    assert 20 < (await cut(speech))[0].end_seconds < 20.5


async def test_a_pause_too_far_back_is_left_whole():
    speech = np.concatenate([tone(5), silence(0.5), tone(40)])
    assert (await cut(speech))[0].end_seconds > 30 - pieces.SEARCH_SECONDS


async def test_a_short_recording_is_one_piece():
    (piece,) = await cut(tone(12.5))
    assert piece.seconds == 12.5


async def test_silence_is_cut_into_pieces_of_nearly_full_length():
    assert [round(piece.seconds) for piece in await cut(silence(100))] == [30, 30, 30, 10]


async def test_one_block_longer_than_a_piece_is_cut_too():
    found = [it async for it in pieces.cut(in_blocks(tone(70), 2_000_000), seconds=lambda: 30)]
    assert sum(piece.seconds for piece in found) == pytest.approx(70)
    assert len(found) >= 3


async def test_pieces_come_before_the_recording_ends():
    read = []

    async def blocks():
        for second in range(100):
            read.append(second)
            yield tone(1)

    await anext(pieces.cut(blocks(), seconds=lambda: 30))
    assert len(read) == 30


async def test_nothing_has_no_pieces():
    assert await cut(silence(0)) == []
