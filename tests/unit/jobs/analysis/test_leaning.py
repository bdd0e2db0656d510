import pytest

from services.jobs.analysis.leaning import weights

NO, YES = [0.2, 0.8], [0.4, 0.6]


def test_a_yes_is_weighed_against_lines_whose_answer_is_known():
    told = [NO, NO, YES, YES, NO, YES, [0.29, 0.71], [0.9, 0.1]]
    no, yes, between, beyond = weights(told, 2, 4)
    assert (no, yes) == (pytest.approx(0.0), pytest.approx(1.0))
    assert 0.45 < between < 0.55
    assert beyond > 1.0


def test_a_model_that_cannot_tell_the_known_lines_apart_says_nothing():
    assert weights([YES, NO, YES, [1.0, 0.0]], 1, 2) == [0.0, 0.0]


def test_an_engine_that_chooses_one_answer_is_taken_at_its_word():
    assert weights([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], 1, 2) == [0.0, 1.0]


def test_without_the_known_lines_nothing_can_be_weighed():
    assert weights([NO, None, YES, YES], 1, 2) == [None, None]
    assert weights([NO, YES, None], 1, 2) == [None]
