from itertools import pairwise

import pytest

from bench.quality.dialogues import phrases
from bench.quality.dialogues.scripts import WORDS_A_MINUTE, Kind, script
from services.jobs.pipelines.session_prompts import Act

SEEDS = range(40)


def words(made):
    return sum(len(it.text.split()) for it in made.turns)


def all_said(made):
    return " ".join(it.text for it in made.turns)


def test_a_seed_is_a_dialogue():
    assert script(3, held_out=True) == script(3, held_out=True)
    assert script(3, held_out=True) != script(4, held_out=True)
    assert script(3, held_out=True) != script(3, held_out=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_to_four_speak_for_as_long_as_asked(seed):
    made = script(seed, held_out=False, minutes=(2, 5))
    assert 2 <= len(made.speakers) <= 4
    assert 1.8 * WORDS_A_MINUTE <= words(made) <= 6.5 * WORDS_A_MINUTE


def test_lengths_reach_from_a_minute_to_half_an_hour():
    lengths = [words(script(it, held_out=True)) / WORDS_A_MINUTE for it in SEEDS]
    assert min(lengths) < 2
    assert 20 < max(lengths) < 32


@pytest.mark.parametrize("seed", SEEDS)
def test_what_follows_was_said_and_who_is_to_do_it_is_a_person(seed):
    made = script(seed, held_out=True)
    said = all_said(made)
    people = (*phrases.NAMES.known, *phrases.NAMES.kept_back)
    for point in made.points:
        assert point.text in said
        assert (point.owner in people) == (point.kind is Kind.ACTION)


def test_every_kind_follows_from_some_and_sentences_do_what_points_say():
    made = [script(it, held_out=False) for it in SEEDS]
    for kind, acts in {
        Kind.ACTION: {Act.REQUEST, Act.PROMISE},
        Kind.DECISION: {Act.DECISION},
        Kind.RISK: {Act.DANGER},
    }.items():
        points = [(each, point) for each in made for point in each.of(kind)]
        assert points
        for each, point in points:
            assert any(
                it.act in acts and point.text in it.text
                for turn in each.turns
                for it in turn.sentences
            )
    questions = [(each, point) for each in made for point in each.of(Kind.QUESTION)]
    assert all(
        any(it.stays_open and point.text in it.text for turn in each.turns for it in turn.sentences)
        for each, point in questions
    )


def test_words_that_are_kept_back_stand_in_held_out_dialogues_alone():
    kept_back = [*phrases.TASKS.kept_back, *phrases.RISKS.kept_back, *phrases.TALK_KEPT_BACK]
    tuned_on = " ".join(all_said(script(it, held_out=False)) for it in SEEDS)
    scored_on = " ".join(all_said(script(it, held_out=True)) for it in SEEDS)
    assert not any(it in tuned_on for it in kept_back)
    assert sum(it in scored_on for it in kept_back) > len(kept_back) / 2


def test_nobody_takes_two_turns_in_a_row():
    turns = script(7, held_out=False).turns
    assert all(a.speaker != b.speaker for a, b in pairwise(turns))
