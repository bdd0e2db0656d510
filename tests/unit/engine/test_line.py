import pytest

from services.chassis.call import Priority
from services.engine.line import PATIENCE, Line, Waiter

LIVE, INTERACTIVE, JOB = Priority


def line_of(*waiting: tuple[str, Priority, str], room: int = 99) -> Line[str]:
    line: Line[str] = Line(rooms=dict.fromkeys(Priority, room), most_bytes=100)
    for key, priority, tenant in waiting:
        assert line.join(Waiter(key, priority, tenant)) is None
    return line


def order(line: Line[str]) -> list[str]:
    return [line.next().key for _ in range(len(line))]


def test_live_goes_before_interactive_and_that_before_jobs() -> None:
    line = line_of(("j", JOB, "a"), ("i", INTERACTIVE, "a"), ("l", LIVE, "a"))
    assert [line.ahead_of(it) for it in Priority] == [1, 2, 3]
    assert order(line) == ["l", "i", "j"]


def test_tenants_of_a_class_take_turns_and_each_keeps_its_own_order() -> None:
    line = line_of(*((f"a{n}", JOB, "a") for n in range(3)), ("b0", JOB, "b"), ("c0", JOB, "c"))
    assert order(line) == ["a0", "b0", "c0", "a1", "a2"]


@pytest.mark.parametrize("lower", [INTERACTIVE, JOB])
def test_a_lower_class_gets_every_sixteenth_place_however_many_go_before_it(
    lower: Priority,
) -> None:
    line = line_of(*((f"low{n}", lower, "a") for n in range(3)))
    given = []
    for n in range(3 * PATIENCE):
        line.join(Waiter(f"live{n}", LIVE, "a"))
        given.append(line.next().key)
    assert [n for n, key in enumerate(given) if key.startswith("low")] == [15, 31, 47]


def test_no_class_starves_when_all_are_full() -> None:
    line = line_of(*((f"{it}", it, "a") for it in Priority))
    given = []
    for _ in range(10 * PATIENCE):
        given.append(line.next())
        line.join(given[-1])
    counts = {it: sum(one.priority is it for one in given) for it in Priority}
    assert counts[LIVE] > 130
    assert counts[INTERACTIVE] >= 9
    assert counts[JOB] >= 9


def test_each_class_has_room_of_its_own() -> None:
    line = line_of(("j", JOB, "a"), room=1)
    late = Waiter("late", JOB, "a")
    assert line.join(late) is late
    assert line.join(Waiter("l", LIVE, "a")) is None
    assert line.waiting(JOB) == line.waiting(LIVE) == 1


def test_a_full_class_sends_the_newest_of_its_largest_tenant_away_for_a_smaller_one() -> None:
    line = line_of(("b0", JOB, "b"), *((f"a{n}", JOB, "a") for n in range(3)), room=4)
    sent_away = line.join(Waiter("b1", JOB, "b"))
    assert sent_away is not None
    assert sent_away.key == "a2"
    refused = Waiter("b2", JOB, "b")
    assert line.join(refused) is refused
    assert order(line) == ["b0", "a0", "b1", "a1"]


def test_those_who_wait_in_a_class_hold_no_more_bytes_than_they_may() -> None:
    line = line_of()
    assert line.join(Waiter("a0", JOB, "a", 60)) is None
    late = Waiter("a1", JOB, "a", 41)
    assert not line.takes(late)
    assert line.join(late) is late
    assert line.join(Waiter("live", LIVE, "a", 100)) is None
    assert line.join(Waiter("a2", JOB, "a", 40)) is None
    assert [line.next().key for _ in range(2)] == ["live", "a0"]
    assert line.takes(late)
    line.leave(Waiter("never joined", JOB, "a", 7))
    assert line.join(Waiter("a3", JOB, "a", 60)) is None


def test_who_sends_another_away_has_to_fit_in_its_place() -> None:
    line = line_of()
    for n in range(3):
        line.join(Waiter(f"a{n}", JOB, "a", 30))
    large = Waiter("large", JOB, "b", 41)
    assert not line.takes(large)
    assert line.join(large) is large
    fitting = Waiter("fitting", JOB, "b", 40)
    assert line.takes(fitting)
    sent_away = line.join(fitting)
    assert sent_away is not None
    assert sent_away.key == "a2"
    assert line.waiting(JOB) == 3


def test_without_room_nobody_waits() -> None:
    line: Line[str] = Line(rooms=dict.fromkeys(Priority, 0), most_bytes=100)
    waiter = Waiter("x", LIVE, "a")
    assert line.join(waiter) is waiter
    assert len(line) == 0


def test_who_leaves_is_forgotten_and_who_was_called_can_leave_too() -> None:
    line = line_of(("a", JOB, "a"))
    gone = Waiter("gone", JOB, "a")
    line.join(gone)
    line.leave(gone)
    line.leave(line.next())
    assert len(line) == 0


def test_a_tenant_of_a_weight_is_next_so_often_in_a_row() -> None:
    rooms = dict.fromkeys(Priority, 99)
    line: Line[str] = Line(rooms=rooms, most_bytes=0, weights={"a": 3})
    for number in range(6):
        for tenant in "ab":
            line.join(Waiter(f"{tenant}{number}", LIVE, tenant))
    assert order(line) == ["a0", "a1", "a2", "b0", "a3", "a4", "a5", "b1", "b2", "b3", "b4", "b5"]


def test_turns_in_a_row_begin_anew_when_a_tenant_that_had_some_has_left() -> None:
    rooms = dict.fromkeys(Priority, 99)
    line: Line[str] = Line(rooms=rooms, most_bytes=0, weights={"a": 2, "b": 2})
    line.join(one := Waiter("a0", LIVE, "a"))
    line.join(left := Waiter("a1", LIVE, "a"))
    assert line.next() is one
    for number in range(3):
        line.join(Waiter(f"b{number}", LIVE, "b"))
    line.leave(left)
    line.join(Waiter("a2", LIVE, "a"))
    assert order(line) == ["b0", "b1", "a2", "b2"]


def test_each_class_has_a_room_of_its_own() -> None:
    line: Line[str] = Line(rooms={LIVE: 3, INTERACTIVE: 1, JOB: 1}, most_bytes=0)
    waiters = [Waiter(f"{it}{n}", it, "a") for it in Priority for n in range(3)]
    refused = [it.key for it in waiters if line.join(it) is it]
    assert refused == ["interactive1", "interactive2", "job1", "job2"]
