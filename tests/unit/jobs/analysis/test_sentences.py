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


def test_a_reply_is_what_is_said_next_up_to_what_is_long_enough():
    segments = (
        Segment(0.0, 1.0, "Is the door locked?", speaker="S1"),
        Segment(1.0, 2.0, "Yes. Since noon today. It is late.", speaker="S2"),
    )
    said = sentences(Transcript("", segments, "en", 2.0))
    assert [it.reply for it in said] == ["Yes. Since noon today.", "It is late.", ""]


@pytest.mark.parametrize(
    ("claim", "source", "shared"),
    [
        ("Cleaning floors", "Please clean the floor.", True),
        ("Launch rockets", "Please clean the floor.", False),
        ("Böden reinigen", "Bitte reinige den Boden.", True),
        ("把红色的箱子放到最上面的架子上去", "请把红色的箱子放到最上面的架子上好吗", True),
        ("Qualitätsprüfungen planen", "Wir brauchen die Qualitätsprüfung.", True),
        ("Qualitätsprüfungen planen", "Der Aufzug ist kaputt.", False),
        ("打扫仓库", "请把仓库打扫干净。", True),
        ("打扫仓库", "明天下雨。", False),
        ("冷蔵庫の注文", "冷蔵庫を二台注文してください。", True),
        ("تنظيف المخزن", "الرجاء تنظيف مخزننا", True),
        ("تنظيف المخزن", "الطقس جميل", False),
        ("", "anything at all", False),
    ],
)
def test_words_are_shared_however_they_are_inflected(claim, source, shared):
    assert share_words(claim, source) is shared


def test_a_name_is_a_whole_word():
    assert names("Tom", "Thank you, Tom!")
    assert not names("Tom", "Tomorrow is fine.")
    assert not names("", "Tom")


def test_a_name_is_found_where_nothing_is_between_words():
    assert names("小王", "请小王打电话给客户。")
    assert not names("小李", "请小王打电话给客户。")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("Jürgen", True), ("Bericht", False), ("Kunden", False), ("Frau Weber", True)],
)
def test_where_all_nouns_are_written_large_a_thing_is_what_has_an_article(name, is_one):
    everything = "Jürgen, schick bitte den Bericht an unsere Kunden. Frau Weber fragt nach ihm."
    assert is_name(name, everything) is is_one


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


@pytest.mark.parametrize(
    ("asked", "answered", "again"),
    [
        ("Kannst du zwei Kühlschränke bestellen?", "Ja, ich bestelle die Kühlschränke.", True),
        ("Kannst du zwei Kühlschränke bestellen?", "Ich räume das Lager auf.", False),
        ("冷蔵庫を二台注文してください。", "はい、冷蔵庫を注文します。", True),
        ("冷蔵庫を二台注文してください。", "床を掃除します。", False),
    ],
)
def test_it_is_told_in_any_language_whether_something_is_said_again(asked, answered, again):
    assert repeats(answered, asked) is again


@pytest.mark.parametrize(
    "text",
    ["¿Lo haces tú?", "你来吗？", "你来吗。", "できますか。", "「もう一度？」", "هل أنت جاهز؟"],
)
def test_a_question_is_known_in_any_language(text):
    [said] = sentences(Transcript("", (Segment(0.0, 1.0, text),), "", 1.0))
    assert said.is_question


def test_a_short_sentence_of_a_script_without_spaces_may_do_something():
    segment = Segment(0.0, 2.0, "我来做。是的。")
    assert [it.text for it in sentences(Transcript("", (segment,), "zh", 2.0))] == ["我来做。"]


@pytest.mark.parametrize("text", ["我来做。", "はい、私がやります。", "分かりました。"])
def test_short_clauses_say_nothing_new(text):
    assert says_nothing_new(text)
    assert not says_nothing_new("我明天打扫仓库")


def test_short_words_say_nothing_new():
    assert says_nothing_new("Okay, I'll do that.")
    assert not says_nothing_new("I'll fetch the ladder.")
