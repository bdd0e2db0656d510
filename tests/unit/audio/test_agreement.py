import pytest

from services.audio import agreement
from services.audio.domain import Word


def words(text: str, *, start: float = 0.0, each: float = 0.5) -> list[Word]:
    return [
        Word(start + place * each, start + (place + 1) * each, f" {word}")
        for place, word in enumerate(text.split())
    ]


def test_case_and_punctuation_are_free():
    assert agreement.prefix(words("good morning the"), words("Good morning, The shelf")) == 3
    assert agreement.prefix(words("good evening"), words("good morning")) == 1


@pytest.mark.parametrize(
    ("committed", "heard", "known"),
    [
        ("", "one two", 0),
        ("one two", "one two three", 2),
        ("one two", "won two three", 2),
        ("six boxes of", "6 boxes of red", 3),
        ("one two three", "one and two three four", 4),
        ("no no no no no no", "no no no no no no no no", 6),
        ("no no no no no no", "oh no no no no no no no", 6),
    ],
)
def test_what_was_committed_is_found_again_however_it_is_spelled(committed, heard, known):
    assert agreement.known(words(committed), words(heard)) == known


def test_the_echo_of_words_that_were_cut_off_is_not_heard_twice():
    before = words("clean the floor first.")
    echo = words("floor first. It will", start=2.0, each=0.1)
    assert agreement.known([], echo, before) == 2


def test_what_is_said_twice_is_heard_twice():
    before = words("no no no no")
    assert agreement.known([], words("no no no no", start=2.0), before) == 0


def test_sentences_end_where_they_are_written_to_end():
    found = agreement.sentences(words('Good morning. "Who is it?" It is'))
    assert ["".join(it.text for it in sentence).strip() for sentence in found] == [
        "Good morning.",
        '"Who is it?"',
        "It is",
    ]


@pytest.mark.parametrize("said", ["هل السلم مكسور؟ لا", "सीढ़ी टूटी है। नहीं", "کیا یہ ٹوٹا ہے۔ نہیں"])
def test_sentences_end_in_the_scripts_of_others_too(said):
    assert agreement.last_sentence(words(said)) == len(said.split()) - 1


def test_the_last_whole_sentence_is_counted():
    assert agreement.last_sentence(words("Yes. No. May be")) == 2
    assert agreement.last_sentence(words("may be")) == 0
