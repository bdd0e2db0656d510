import statistics

from bench.quality.scoring import f1, interval


def test_f1_counts_what_was_found_twice_and_what_was_wrong_or_missed_once():
    assert f1(2, 4) == 0.5
    assert f1(0, 3) == 0.0
    assert f1(0, 0) == 1.0


def test_a_figure_lies_between_what_most_draws_come_to():
    least, most = interval([0.0, 1.0] * 50, statistics.fmean)
    assert 0.38 < least < 0.45 < 0.55 < most < 0.62
    assert interval([0.0, 1.0] * 50, statistics.fmean) == (least, most)
