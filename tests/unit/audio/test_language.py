import pytest

from services.audio.language import Language


def test_a_language_is_kept_when_enough_was_heard_of_it_and_of_no_other():
    language = Language("")
    language.hear("de", 4)
    language.hear("en", 4)
    assert language.kept == ""
    language.hear("en", 1)
    assert language.kept == "en"
    language.hear("de", 60)
    assert (language.kept, language.likeliest) == ("en", "en")


@pytest.mark.parametrize(
    ("heard", "likeliest"),
    [((), ""), ((("", 60),), ""), ((("", 60), ("de", 1), ("en", 2)), "en")],
    ids=["nothing", "noise", "two-guesses"],
)
def test_the_likeliest_is_what_was_heard_for_longest(heard, likeliest):
    language = Language("")
    for each in heard:
        language.hear(*each)
    assert (language.kept, language.likeliest) == ("", likeliest)


def test_a_language_that_was_named_stays():
    language = Language("de")
    language.hear("en", 60)
    assert (language.kept, language.likeliest) == ("de", "de")
