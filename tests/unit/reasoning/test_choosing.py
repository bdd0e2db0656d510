import pytest

from services.reasoning import choosing


@pytest.mark.parametrize(
    ("beginnings", "shares"),
    [
        ([("Yes", 0.6), ("no", 0.2)], (0.75, 0.25)),
        ([(" yes", 0.3), ("YES", 0.3), ("No", 0.2), ("I", 0.2)], (0.75, 0.25)),
        ([("y", 0.5), ("n", 0.5)], (0.5, 0.5)),
        ([("no", 0.9)], (0.0, 1.0)),
    ],
)
def test_an_answer_has_the_probability_of_the_tokens_that_begin_it(beginnings, shares):
    assert choosing.shares(beginnings, ("yes", "no")) == pytest.approx(shares)


@pytest.mark.parametrize("beginnings", [[], [("I", 0.9), ("", 0.05), (" ", 0.05)], [("yes", 0.0)]])
def test_an_answer_that_is_none_of_them_tells_nothing(beginnings):
    assert choosing.shares(beginnings, ("yes", "no")) is None


def test_a_token_that_begins_two_answers_tells_nothing_of_either():
    assert choosing.shares([("n", 0.8), ("none", 0.2)], ("no", "none")) == (0.0, 1.0)
