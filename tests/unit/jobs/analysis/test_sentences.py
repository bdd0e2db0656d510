import pytest

from services.jobs.analysis.sentences import (
    is_name,
    names,
    repeats,
    says_nothing_new,
    sentences,
    share_words,
)
from services.jobs.content import Segment, Transcript


def test_sentences_keep_the_stretch_that_they_stand_in_and_short_ones_are_left_out():
    segment = Segment(1.0, 3.0, "Thanks. I will start right away! Where is it kept?", speaker="S2")
    said = sentences(Transcript("", (segment,), "en", 3.0))
    assert [it.text for it in said] == ["I will start right away!", "Where is it kept?"]
    assert [it.is_question for it in said] == [False, True]
    assert {it.evidence.text for it in said} == {segment.text}


@pytest.mark.parametrize(
    ("claim", "source", "shared"),
    [
        ("Cleaning floors", "Please clean the floor.", True),
        ("Launch rockets", "Please clean the floor.", False),
        ("Böden reinigen", "Bitte reinige den Boden.", True),
        ("把红色的箱子放到最上面的架子上去", "请把红色的箱子放到最上面的架子上好吗", True),
        ("", "anything at all", False),
    ],
)
def test_words_are_shared_however_they_are_inflected(claim, source, shared):
    assert share_words(claim, source) is shared


def test_a_name_is_a_whole_word():
    assert names("Tom", "Thank you, Tom!")
    assert not names("Tom", "Tomorrow is fine.")
    assert not names("", "Tom")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Tom", True),
        ("Floor", False),
        ("floor", False),
        ("Please", False),
        ("Anna Berg", True),
        ("I", False),
        ("小王", True),
    ],
)
def test_a_name_is_what_is_nowhere_written_small(name, is_one):
    everything = "Tom, clean the floor, says Anna Berg. Please! I mean it, please, tomorrow."
    assert is_name(name, everything) is is_one


def test_saying_again_takes_half_of_the_words():
    asked = "Could you order two new freezers?"
    assert repeats("Yes, I will order the freezers.", asked)
    assert not repeats("I will clean the floor.", asked)
    assert not repeats("", asked)


def test_short_words_say_nothing_new():
    assert says_nothing_new("Okay, I'll do that.")
    assert not says_nothing_new("I'll fetch the ladder.")
