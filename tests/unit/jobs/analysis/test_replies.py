import pytest

from services.jobs.analysis.replies import taken_up
from services.jobs.analysis.sentences import Sentence
from services.jobs.content import Evidence


def said(*lines):
    return [Sentence(text, speaker, Evidence(text)) for speaker, text in lines]


ASKED = ("S1", "Tom, could you clean the floor?")


@pytest.mark.parametrize(
    "promise",
    [
        ("S2", "Okay, I'll do that."),
        ("S2", "I can take care of that."),
        ("S2", "Yes, I will clean the floor now."),
        ("S1", "Then I will clean the floor myself."),
        ("", "I'll do it."),
    ],
)
def test_a_reply_that_says_nothing_new_or_the_same_again_takes_a_request_up(promise):
    assert taken_up(said(ASKED, promise), [0], [1]) == {0: 1}


@pytest.mark.parametrize(
    "promise",
    [
        ("S2", "I will fetch the ladder."),
        ("S2", "I'll call Peter."),
        ("S1", "I'll do it."),
    ],
)
def test_a_promise_of_something_else_is_a_task_of_its_own(promise):
    assert taken_up(said(ASKED, promise), [0], [1]) == {}


def test_nobody_takes_up_what_was_asked_later_or_long_ago():
    reply = ("S2", "Okay, I'll do that.")
    talk = ("S3", "The weather was nice.")
    assert taken_up(said(reply, ASKED), [1], [0]) == {}
    assert taken_up(said(ASKED, *[talk] * 3, reply), [0], [4]) == {0: 4}
    assert taken_up(said(ASKED, *[talk] * 4, reply), [0], [5]) == {}


def test_a_promise_takes_up_one_request_and_a_request_is_taken_up_once():
    reply = ("S2", "Okay, I'll do that.")
    lines = said(ASKED, ("S1", "And could you lock the door?"), reply, reply)
    assert taken_up(lines, [0, 1], [2, 3]) == {0: 2, 1: 3}
    assert taken_up(lines, [1], [2, 3]) == {1: 2}


def test_a_script_without_spaces_is_not_taken_for_short_words():
    lines = said(("S1", "请你打扫一下地板好吗"), ("S2", "我明天打电话给供应商"))
    assert taken_up(lines, [0], [1]) == {}
