import pytest

from services.vision.domain import Wish
from services.vision.live.domain import Settings
from services.vision.live.rhythm import Rhythm
from tests.doubles.frame_scripts import Player, frames


@pytest.fixture
def rhythm() -> Rhythm:
    made = Rhythm()
    for number in range(30):
        made.came(number / 25)
    return made


def test_a_frame_that_is_about_to_come_is_worth_waiting_for(rhythm: Rhythm) -> None:
    due = 30 / 25
    assert rhythm.soon(due - 0.02) is None
    assert rhythm.soon(due - 0.009) == pytest.approx(due + 0.002)
    assert rhythm.soon(due + 0.001) == pytest.approx(due + 0.002)
    assert rhythm.soon(due + 0.002) is None


def test_nothing_is_waited_for_before_two_frames_have_come() -> None:
    rhythm = Rhythm()
    assert rhythm.soon(0) is None
    rhythm.came(0)
    assert rhythm.soon(0.01) is None


def test_of_fast_frames_a_quarter_of_an_interval_is_waited_at_most() -> None:
    rhythm = Rhythm()
    for number in range(9):
        rhythm.came(number / 100)
    assert rhythm.soon(0.087) is None
    assert rhythm.soon(0.088) is not None


def test_an_answer_begins_with_the_frame_that_just_comes() -> None:
    settings = Settings(Wish(), threshold=0)
    player = Player(latency=0.195).play([(0, settings), *frames(0.1, 2)], until=2)
    ages = [it.begun - float(it.frames[-1].id) for it in player.shots[2:]]
    assert max(ages) < 0.1 - 0.01
    assert any(it == pytest.approx(0) for it in ages)
