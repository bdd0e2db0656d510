import pytest

from services.jobs.content import Evidence
from services.jobs.pipelines.citing import cited, text_of

SEEN = (
    "A worker is stocking the shelf. The shelf holds 3 red boxes.",
    "There is a spill on the floor.",
    "A worker is standing.",
)


def sources(*texts):
    return [Evidence(it, float(n), float(n), image_id=f"frame-{n}") for n, it in enumerate(texts)]


def rests_on(summary, *texts):
    found, dropped = cited(summary, sources(*texts))
    return [tuple(it.image_id for it in each.evidence) for each in found], dropped


def test_a_sentence_rests_on_the_fewest_texts_that_have_its_words():
    summary = "A worker stocks the shelf. Then a spill is on the floor."
    assert rests_on(summary, *SEEN) == ([("frame-0",), ("frame-1",)], 0)


def test_a_sentence_may_rest_on_several_in_order_of_time():
    summary = "There was a spill, and before it a worker was stocking a shelf."
    assert rests_on(summary, *SEEN) == ([("frame-0", "frame-1")], 0)


def test_a_sentence_that_nothing_bears_out_is_dropped_and_counted():
    found, dropped = cited("A chef cooks pasta. A worker is standing.", sources(*SEEN))
    assert (text_of(found), dropped) == ("A worker is standing.", 1)


@pytest.mark.parametrize("summary", ["DONE.", "Ok.", "...", "No risks were reported."])
def test_what_an_instruction_makes_a_model_say_rests_on_nothing(summary):
    assert cited(summary, sources(*SEEN)) == ((), 1)


def test_no_summary_makes_no_claim():
    assert cited("", sources(*SEEN)) == ((), 0)
    assert cited("A worker.", []) == ((), 1)


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ("Boxes are red.", "a red box"),
        ("Der Mitarbeiter räumte Regale ein.", "Ein Mitarbeiter räumt das Regal ein."),
        ("Рабочий заполнил полки.", "Рабочий заполняет полку."),
        ("工人在整理货架。", "一名工人正在货架旁整理箱子。"),
        ("12 were counted.", "there are 12"),
    ],
)
def test_words_are_compared_however_they_are_inflected_and_written(summary, text):
    assert rests_on(summary, "x", text) == ([("frame-1",)], 0)


@pytest.mark.parametrize(
    "summary", ["الطباخ يغسل الأطباق في المطبخ.", "厨师在煮面条。", "Der Koch kocht Nudeln."]
)
def test_what_nobody_said_rests_on_nothing_in_any_language(summary):
    said = (
        "قررنا تأجيل الافتتاح إلى يوم الخميس",
        "我们决定星期四开业。",
        "Wir öffnen am Donnerstag.",
    )
    assert rests_on(summary, *said) == ([], 1)


def test_each_sentence_of_a_summary_without_spaces_is_cited_by_itself():
    found, dropped = cited("工人在整理货架。厨师煮面。", sources("一名工人正在整理货架。"))
    assert ([it.text for it in found], dropped) == (["工人在整理货架。"], 1)


def test_no_more_texts_are_named_than_a_person_reads():
    words = [f"{it * 4}" for it in "abcdefghijklm"]
    [evidence], dropped = rests_on(" ".join(words), *words)
    assert (len(evidence), dropped) == (8, 0)
