from bench.quality.minds import Cost
from bench.quality.plot import Figure
from bench.quality.report import HEADINGS_OF_ANSWERS, figure, of_answers, table, told
from bench.quality.scoring import Answer


def test_what_answers_took_is_told_for_each_sequence_or_dialogue():
    answers = [
        Answer((), cited=4, cited_well=3, cost=Cost(2, 2, tokens=1500, seconds=1.0)),
        Answer((), cost=Cost(2, 1, tokens=500, seconds=2.0, too_long=1)),
    ]
    assert of_answers(answers) == ("75.0 %", "75.0 %", "1,000", "1.5", "1")
    assert len(of_answers(answers)) == len(HEADINGS_OF_ANSWERS)
    assert of_answers([Answer(())])[:2] == ("-", "-")


def test_a_table_has_its_headings_and_a_line_for_each_row():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_figure_is_told_with_where_it_lies():
    assert told(Figure(0.5, 0.25, 0.75)) == "0.500 (0.250 to 0.750)"
    assert figure([1.0, 1.0], sum) == Figure(2.0, 2.0, 2.0)
