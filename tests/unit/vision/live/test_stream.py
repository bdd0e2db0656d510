import itertools
from datetime import timedelta

import pytest

from services.chassis.errors import Exhausted, InvalidInput, MeshError, Unavailable
from services.chassis.pool import Account, Pool
from services.vision.domain import Wish
from services.vision.live.domain import Notice, Reason, Settings, Spread
from services.vision.live.notices import NO_ROOM
from services.vision.live.steps import Ask, Look, Over, Tell, Wait
from tests.doubles.frame_scripts import DAY, Event, Player, Shade, frame, frames, made

EVERY = Settings(threshold=0)
SPREAD = Settings(window=4, spread=Spread.SINCE_LAST_REPLY, threshold=0)


def ids(player: Player) -> list[list[str]]:
    return [[it.id for it in answer.frames] for answer in player.answers()]


def test_what_comes_before_any_settings_is_answered_by_their_defaults() -> None:
    player = Player().play([(1, frame(1))])
    assert [(it.number, it.asked) for it in player.answers()] == [(1, 0)]


def test_a_busy_engine_is_next_asked_about_the_newest_frame_and_the_rest_is_counted() -> None:
    player = Player(latency=1).play([(0, EVERY), *frames(0.1, 3)], until=3.5)
    assert ids(player) == [["0.1"], ["1.1"], ["2.1"]]
    assert [it.counts.dropped for it in player.answers()] == [8, 9, 8]


@pytest.mark.parametrize(
    "settings", [EVERY, SPREAD, Settings(), Settings(cadence=0.7), Settings(window=3)]
)
@pytest.mark.parametrize("latency", [0.0, 0.34, 1.7])
def test_every_frame_is_counted_once(settings: Settings, latency: float) -> None:
    script = [*frames(0.1, 4), *frames(4, 7, 200), *frames(7, 9, 90), (9.0, None)]
    player = Player(latency=latency).play([(0, settings), *script])
    shown = sum(len(it.untold) for it in player.shots)
    told = [*player.answers(), *player.stills()]
    dropped = sum(it.counts.dropped for it in told)
    skipped = sum(it.counts.skipped for it in told)
    assert player.is_over
    assert shown + dropped + skipped == 89


def test_an_answer_tells_the_age_of_its_newest_frame_when_it_was_ready() -> None:
    player = Player(latency=0.75).play([(0, EVERY), (1, frame(1, lag=0.5))])
    (answer,) = player.answers()
    assert answer.age.since_receipt == timedelta(seconds=0.75)
    assert answer.age.since_capture == timedelta(seconds=1.25)
    assert answer.frames[0].captured == DAY + timedelta(seconds=0.5)
    assert answer.processing_time == timedelta(seconds=0.75)


def test_the_newest_frames_are_looked_at_whether_or_not_the_last_answer_did() -> None:
    settings = Settings(window=3, threshold=0)
    player = Player(latency=0.2).play([(0, settings), *frames(0.1, 0.6)], until=0.7)
    assert ids(player)[:3] == [["0.1"], ["0.1", "0.2", "0.3"], ["0.3", "0.4", "0.5"]]


def test_frames_are_spread_over_the_time_since_those_of_the_last_reply() -> None:
    player = Player(latency=1.6).play([(0, SPREAD), *frames(0.1, 1.8)], until=4)
    assert ids(player)[0] == ["0.1"]
    second = [float(it) for it in ids(player)[1]]
    assert (len(second), second[0], second[-1]) == (4, 0.2, 1.7)
    gaps = [after - before for before, after in itertools.pairwise(second)]
    assert max(gaps) <= 2 * 1.5 / 3
    assert player.answers()[0].counts.dropped == 12


def test_two_answers_do_not_begin_within_one_cadence() -> None:
    settings = Settings(cadence=0.5, threshold=0)
    player = Player(latency=0.1).play([(0, settings), *frames(0.1, 2.1)], until=2.2)
    begun = [it.begun for it in player.shots]
    assert begun == pytest.approx([0.1, 0.6, 1.1, 1.6, 2.1], abs=0.11)
    assert all(b - a >= 0.5 for a, b in itertools.pairwise(begun))


def test_a_scene_that_stays_is_paid_for_once_and_said_to_stay_once_a_second() -> None:
    player = Player(latency=0.1).play([(0, Settings()), *frames(0.1, 10)], until=10)
    assert len(player.answers()) == 1
    times = [at for at, _ in player.told[1:]]
    assert len(times) == 9
    assert all(b - a >= 1 - 1e-9 for a, b in itertools.pairwise(times))
    assert {it.last.number for it in player.stills()} == {1}
    assert player.stills()[0].age.since_receipt < timedelta(seconds=0.2)
    assert sum(it.counts.skipped for it in player.stills()) >= 80


def test_a_word_that_nothing_changed_comes_no_oftener_than_the_cadence() -> None:
    settings = Settings(cadence=3)
    player = Player().play([(0, settings), *frames(0.1, 9.9)], until=9.8)
    assert [at for at, _ in player.told] == pytest.approx([0.1, 3.1, 6.1, 9.1], abs=0.01)


@pytest.mark.parametrize("cadence", [0.0, 0.4, 2.0])
def test_a_change_is_answered_within_one_cadence(cadence: float) -> None:
    script = [*frames(0.1, 5), *frames(5, 10, 200)]
    player = Player(latency=0.1).play([(0, Settings(cadence=cadence)), *script], until=10)
    assert [it.answer.text for it in player.answers()] == ["shade 0", "shade 200"]
    assert player.shots[1].begun - 5 <= cadence


def test_a_change_that_comes_slowly_is_noticed_all_the_same() -> None:
    script: list[Event] = [(at / 10, frame(at / 10, at)) for at in range(1, 201)]
    player = Player().play([(0, Settings()), *script], until=21)
    assert [it.answer.text for it in player.answers()] == ["shade 1", "shade 129"]


def test_a_change_within_the_window_counts_though_the_newest_frame_shows_it_no_more() -> None:
    settings = Settings(window=4, spread=Spread.SINCE_LAST_REPLY, cadence=1)
    flash = [frame(at / 10, 200 if at in (14, 15, 16) else 0) for at in range(12, 21)]
    script = [(0.1, frame(0.1)), *((it.received, it) for it in flash)]
    player = Player().play([(0, settings), *script[:9]], until=1.8)
    assert len(player.answers()) == 2


def test_of_the_newest_frame_alone_one_look_is_taken_while_nothing_happens() -> None:
    player = Player().play([(0, Settings()), *frames(0.1, 5)], until=5)
    assert player.looks == 48


def test_new_settings_are_answered_with_the_next_frame_whatever_the_cadence() -> None:
    asked = Settings(Wish("other?"), cadence=60)
    script = [(0, Settings(cadence=60)), *frames(0.1, 1), (1.05, asked), (1.5, frame(1.5))]
    player = Player().play(script, until=2)
    assert [(it.asked, it.frames[-1].id) for it in player.answers()] == [(1, "0.1"), (2, "0.9")]


def test_frames_that_were_answered_wait_for_others_before_a_new_question_is() -> None:
    script = [(0, EVERY), (1, frame(1)), (2, Settings(Wish("other?"))), (3, frame(3))]
    player = Player().play(script, until=4)
    assert [(it.asked, it.frames[-1].id) for it in player.answers()] == [(1, "1"), (2, "3")]


def test_an_answer_under_way_is_of_the_settings_it_began_with_and_holds_no_longer() -> None:
    script = [(0, Settings()), (1, frame(1)), (1.5, Settings(Wish("other?"))), (1.6, frame(1.6))]
    player = Player(latency=1).play(script, until=9)
    assert [(it.asked, it.number) for it in player.answers()] == [(1, 1), (2, 2)]
    assert player.stills() == []


def test_a_smaller_window_lets_frames_go() -> None:
    stream = made()
    stream.set(Settings(window=3, threshold=0))
    for at in range(3):
        stream.add(frame(at))
    stream.set(Settings(threshold=0))
    shot = stream.begin(5)
    assert shot is not None
    assert [it.id for it in shot.frames] == ["2"]


@pytest.mark.parametrize(
    ("error", "reason", "seconds"),
    [
        (Unavailable("down", retry_after=timedelta(seconds=2)), Reason.ENGINE_DOWN, 2),
        (Unavailable("down"), Reason.ENGINE_DOWN, 1),
        (Exhausted("full", retry_after=timedelta(seconds=3)), Reason.OVERLOADED, 3),
        (InvalidInput("too long", code="CONTEXT_EXCEEDED"), Reason.ANSWER_REFUSED, 10),
    ],
)
def test_an_engine_that_fails_is_told_and_asked_again_later_about_the_newest(
    error: MeshError, reason: Reason, seconds: float
) -> None:
    script = [(0, Settings()), *frames(1, 20)]
    player = Player(latency=0.1, fails={1: error}).play(script, until=seconds + 1.5)
    told = player.told[0][1]
    assert isinstance(told, Notice)
    assert (told.reason, told.number, told.code) == (reason, 1, error.code)
    assert told.retry_after == timedelta(seconds=seconds)
    assert player.shots[1].begun == pytest.approx(1.1 + seconds, abs=0.01)
    assert float(player.answers()[0].frames[0].id) == pytest.approx(1.1 + seconds, abs=0.11)


def test_new_settings_do_not_wait_for_an_engine_that_refused_the_old_ones() -> None:
    error = InvalidInput("too many")
    script = [(0, Settings(window=9)), (1, frame(1)), (2, Settings()), (2.5, frame(2.5))]
    player = Player(fails={1: error}).play(script, until=3)
    assert [it.begun for it in player.shots] == [1, 2, 2.5][:2]


def test_frames_of_an_answer_that_failed_are_answered_though_no_other_come() -> None:
    for settings in (Settings(), SPREAD):
        script = [(0, settings), (1, frame(1))]
        player = Player(fails={1: Unavailable("down")}).play(script, until=5)
        assert ids(player) == [["1"]]


def test_frames_of_answers_that_failed_are_counted_once_too() -> None:
    fails: dict[int, MeshError] = {it: Unavailable("down") for it in (2, 3, 5)}
    player = Player(latency=0.34, fails=fails)
    player.play([(0, EVERY), *frames(0.1, 9, rate=10), (9.0, None)])
    given = {it.number for it in player.answers()}
    shown = sum(len(it.untold) for it in player.shots if it.number in given)
    assert shown + sum(it.counts.dropped for it in player.answers()) == 89


def test_a_refused_frame_is_left_out_and_the_others_of_its_window_are_answered() -> None:
    stream = made()
    stream.set(Settings(window=3, threshold=0))
    for at in (1, 2, 3):
        stream.add(frame(at))
    assert stream.next(3) == Ask()
    shot = stream.begin(3)
    assert shot is not None
    notice = stream.refused(shot.frames[-1], InvalidInput("no picture", code="IMAGE_UNKNOWN"))
    assert (notice.reason, notice.code, notice.frame_id) == (
        Reason.FRAME_REFUSED,
        "IMAGE_UNKNOWN",
        "3",
    )
    assert [it.id for it in shot.fit] == ["1", "2"]
    stream.put_back(shot)
    again = stream.begin(4)
    assert again is not None
    assert [it.id for it in again.frames] == ["1", "2"]


def test_a_frame_that_is_refused_at_a_glance_is_forgotten() -> None:
    stream = made()
    player = Player(stream).play([(0, Settings()), (1, frame(1))])
    assert len(player.answers()) == 1
    stream.add(bad := frame(2))
    assert stream.next(2) == Look(bad)
    stream.refused(bad, InvalidInput("no picture"))
    assert stream.next(2) == Wait()


def test_a_glance_that_comes_after_new_settings_finds_the_frame_new() -> None:
    stream = made()
    Player(stream).play([(0, Settings()), (1, frame(1))])
    stream.add(late := frame(2))
    assert stream.next(2) == Look(late)
    stream.set(Settings(Wish("other?")))
    stream.looked(late, Shade(0))
    assert stream.next(2) == Ask()


def test_at_the_end_what_is_left_is_told_at_once_and_then_all_is_over() -> None:
    settings = Settings(cadence=60)
    changed = Player().play([(0, settings), (1, frame(1)), (2, frame(2, 200)), (3, None)])
    assert (ids(changed), changed.told[-1][0], changed.is_over) == ([["1"], ["2"]], 3, True)
    same = Player().play([(0, settings), (1, frame(1)), (2, frame(2)), (3, None)])
    assert (len(same.answers()), len(same.stills()), same.is_over) == (1, 1, True)
    assert Player().play([(1, None)]).is_over


def test_at_the_end_an_engine_that_is_down_is_not_waited_for() -> None:
    player = Player(fails={1: Unavailable("down")}, latency=1)
    player.play([(0, Settings()), (1, frame(1)), (1.5, None)])
    assert [type(it) for _, it in player.told] == [Notice]
    assert player.is_over
    assert player.stream.next(2.0) == Over()


def test_a_frame_for_which_there_is_no_room_is_told_and_counted() -> None:
    pool = Pool(2_000, holders=2)
    other = Account(pool)
    assert other.hold(1_400)
    player = Player(stream=made(pool), latency=0.3)
    player.play([(0, EVERY), *((at / 10, frame(at / 10, size=700)) for at in range(30))], until=2.9)
    warned = [(at, it) for at, it in player.told if isinstance(it, Notice)]
    assert [at for at, _ in warned] == pytest.approx([0, 1, 2])
    assert {(it.reason, it.code) for _, it in warned} == {(Reason.OVERLOADED, NO_ROOM)}
    assert warned[1][1].frame_id == "1"
    assert player.answers() == []
    assert other.hold(0)
    player.play([(3, frame(3, size=700)), (4, None)])
    (answer,) = player.answers()
    assert (answer.frames[0].id, answer.counts.dropped) == ("3", 30)
    assert player.is_over


def test_a_stream_that_ends_without_room_says_so_at_once() -> None:
    pool = Pool(2_000, holders=2)
    stream = made(pool)
    stream.add(frame(1, size=3_000))
    assert isinstance(stream.next(1), Tell)
    stream.add(frame(1.1, size=3_000))
    assert stream.next(1.1) == Wait(2)
    stream.end()
    assert isinstance(stream.next(1.2), Tell)
    assert stream.next(1.2) == Over()
    assert pool.held == 0
