import pytest

from services.jobs.pipelines.wording import joined, sentences, stems, words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("We go. Who stays?  Nobody!", ["We go.", "Who stays?", "Nobody!"]),
        ("One line\nand another", ["One line", "and another"]),
        (
            "Dr. Weber kommt am 3. Mai. Wir nehmen z. B. den Zug. Gut.",
            ["Dr. Weber kommt am 3. Mai.", "Wir nehmen z. B. den Zug.", "Gut."],
        ),
        ("It lasts until May 3. Then we stop.", ["It lasts until May 3.", "Then we stop."]),
        ("So do I. You too.", ["So do I.", "You too."]),
        (
            "¿Quién limpia el almacén? ¡Yo! Vale.",
            ["¿Quién limpia el almacén?", "¡Yo!", "Vale."],
        ),
        ("我们决定推迟。谁来通知客户？我来。", ["我们决定推迟。", "谁来通知客户？", "我来。"]),
        ("何ですって！？「もう一度。」はい。", ["何ですって！？", "「もう一度。」", "はい。"]),
        ("من سينظف المخزن؟ سأفعل ذلك.", ["من سينظف المخزن؟", "سأفعل ذلك."]),
        ("यह बंद है। ठीक है।", ["यह बंद है।", "ठीक है।"]),
        ("", []),
    ],
)
def test_a_text_falls_into_sentences_in_any_language(text, parts):
    assert sentences(text) == parts


def test_sentences_are_put_together_as_their_language_does():
    assert joined(["One.", "Two."]) == "One. Two."
    assert joined(["一。", "二。"]) == "一。二。"


def test_words_are_compared_without_the_marks_on_their_letters():
    assert words("El MÉDICO, müde") == ["el", "medico", "mude"]
    assert words("करना है") == ["करन", "ह"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("die Qualitätssicherungsabteilung", "Qualitätssicherung"),
        ("السلم مكسور", "سلم"),
        ("والمخزن", "المخزن"),
        ("打扫仓库", "请把仓库打扫干净"),
    ],
)
def test_a_word_has_the_same_stem_however_it_is_inflected(one, other):
    assert stems(one, letters=4, least=3) & stems(other, letters=4, least=3)


def test_texts_in_arabic_do_not_share_words_because_they_share_letters():
    said = stems("قررنا تأجيل الافتتاح إلى يوم الخميس", letters=4, least=3)
    assert not said & stems("الطباخ يغسل الأطباق", letters=4, least=3)
