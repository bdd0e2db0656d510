from services.chassis.pool import Account, Pool


def test_each_may_hold_its_part_whatever_others_hold() -> None:
    pool = Pool(1_000, holders=5)
    greedy, others = Account(pool), [Account(pool) for _ in range(4)]
    assert greedy.hold(600)
    assert not greedy.hold(601)
    assert all(it.hold(100) for it in others)
    assert pool.held == 1_000
    assert not others[0].hold(101)


def test_what_is_given_back_is_there_for_others() -> None:
    pool = Pool(1_000, holders=5)
    with pool.account() as greedy:
        assert greedy.hold(600)
        other = Account(pool)
        assert not other.hold(300)
        assert greedy.hold(350)
        assert other.hold(300)
    assert pool.held == 300
    assert other.hold(600)
    assert other.hold(0)
    assert pool.held == 0
