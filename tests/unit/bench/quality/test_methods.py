from argparse import Namespace

from bench.quality.methods import Methods

METHODS = Methods[str](
    ours=lambda _: "ours",
    ours_again=lambda _: "ours on the same",
    original=lambda _: "original",
    rule=lambda: "rule",
    ceiling=lambda: "ceiling",
)
ALL = ("ours", "original", "rule", "ceiling")
MIND = object()


def asked_for(methods=ALL, original=0, mind=MIND, place=0):
    return METHODS.asked_for(Namespace(methods=methods, original=original), mind, place)


def test_the_methods_that_are_named_are_made():
    assert asked_for() == ["ours", "original", "rule", "ceiling"]
    assert asked_for(methods=("rule",)) == ["rule"]


def test_without_a_model_what_needs_one_is_left_out():
    assert asked_for(mind=None) == ["rule", "ceiling"]


def test_where_the_original_is_asked_about_a_few_ours_stands_beside_it_on_the_same():
    assert asked_for(original=2, place=1)[1:3] == ["original", "ours on the same"]
    assert asked_for(original=2, place=2) == ["ours", "rule", "ceiling"]
