import pytest

from bench.quality.dialogues import report, scores
from bench.quality.dialogues.scores import Answer, Found, matched, score
from bench.quality.dialogues.scripts import Kind, Point, Script
from bench.quality.scoring import interval

CALL = Point(Kind.ACTION, "call the supplier about the missing pallets", "Tom")
ORDER = Point(Kind.ACTION, "order two new freezers", "Anna")
CLOSE = Point(Kind.DECISION, "close at six on Fridays")
NAMES = {"S1": "Anna", "S2": "Tom"}


def scored(*found, points=(CALL, ORDER, CLOSE)):
    return score(Script(0, ("Anna", "Tom"), (), points), NAMES, Answer(found))


def action(text, owner=""):
    return Found(Kind.ACTION, text, owner)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("Tom, could you call the supplier about the missing pallets?", True),
        ("Calling suppliers on missing pallets", True),
        ("Call supplier: pallets", True),
        ("Call the supplier", False),
        ("Order two new freezers", False),
        ("", False),
    ],
)
def test_found_is_what_has_most_of_the_words_however_inflected(text, is_it):
    assert bool(matched([CALL], [action(text)])) is is_it


def test_each_matches_one_at_most_and_the_best_pair_first():
    half = action("call a supplier about pallets")
    whole = action("call the supplier about the missing pallets")
    assert matched([CALL], [half, whole]) == [(0, 1)]
    everything = action("call supplier missing pallets order two new freezers")
    assert len(matched([CALL, ORDER], [everything])) == 1


def test_what_is_twice_there_or_not_there_is_wrong_and_what_is_not_found_is_missed():
    tally = scored(
        action("call the supplier about missing pallets"),
        action("call the supplier about missing pallets"),
        action("buy a boat"),
    ).tallies[Kind.ACTION]
    assert (tally.hits, tally.wrong, tally.missed) == (1, 2, 1)


def test_a_finding_of_another_kind_is_no_match():
    found = scored(Found(Kind.DECISION, "order two new freezers"))
    assert found.tallies[Kind.ACTION].hits == 0
    assert found.tallies[Kind.DECISION].wrong == 1


@pytest.mark.parametrize(
    ("owner", "right"), [("Anna", 1), ("anna ", 1), ("S1", 1), ("S2", 0), ("", 0), ("S9", 0)]
)
def test_an_owner_is_right_by_name_or_by_voice(owner, right):
    assert scored(action("order two new freezers", owner)).owners == right


def test_a_voice_without_a_person_owns_nothing_of_nobodys():
    nobodys = Point(Kind.ACTION, "order two new freezers", "Eva")
    assert scored(action("order two new freezers", ""), points=(nobodys,)).owners == 0


def test_figures_are_over_all_dialogues():
    one = scored(action("order two new freezers", "Anna"), action("sell the house"))
    other = scored(action("call supplier missing pallets", "Anna"))
    both = [one, other]
    assert scores.f1(both, Kind.ACTION) == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert scores.precision(both, Kind.ACTION) == pytest.approx(2 / 3)
    assert scores.recall(both, Kind.ACTION) == pytest.approx(2 / 4)
    assert scores.owners_right(both) == pytest.approx(1 / 2)
    assert scores.f1(both, Kind.DECISION) == 0.0
    assert scores.f1(both, Kind.RISK) == 1.0


def test_an_interval_holds_the_figure():
    both = [scored(action("order two new freezers", "Anna")), scored()] * 10
    least, most = interval(both, scores.owners_right)
    assert least <= scores.owners_right(both) <= most
    least, most = interval(both, lambda it: scores.f1(it, Kind.ACTION))
    assert least < scores.f1(both, Kind.ACTION) < most


def test_a_table_has_a_line_for_each_method_and_a_plot_a_bar_for_each_figure():
    rows = {"ours": [scored(action("order two new freezers", "Anna"))], "<rule>": [scored()]}
    told = report.table(rows)
    assert len({line.count("|") for line in told.splitlines()}) == 1
    assert len(told.splitlines()) == 4
    drawing = report.drawn(rows, "of <all>")
    assert drawing.count('fill="#') == 2 * 5 + 2
    assert "&lt;rule&gt;" in drawing
    assert "<rule>" not in drawing
