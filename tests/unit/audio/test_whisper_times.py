import pytest

from services.audio.adapters.whisper_times import gathered
from services.audio.domain import Word


def words(*starts):
    return [Word(it, it + 0.3, f" {it}") for it in starts]


def starts(heard):
    return pytest.approx([it.start_seconds for it in heard])


def test_a_first_word_before_a_silence_begins_the_sentence_after_it():
    heard = gathered(words(3.0, 60.0, 60.4))
    assert starts(heard) == [59.7, 60.0, 60.4]
    assert [it.text for it in heard] == [" 3.0", " 60.0", " 60.4"]
    assert heard[0].end_seconds == pytest.approx(60.0)


def test_a_last_word_after_a_silence_ends_the_sentence_before_it():
    assert starts(gathered(words(3.0, 3.4, 3.8, 4.2, 60.0))) == [3.0, 3.4, 3.8, 4.2, 4.5]


def test_what_is_too_long_for_a_seam_was_said_where_it_was_heard():
    said = words(3.0, 3.4, 3.8, 60.0, 60.4, 60.8)
    assert gathered(said) == said


def test_a_short_pause_is_left_as_it_is():
    said = words(3.0, 5.0, 5.4)
    assert gathered(said) == said


def test_no_word_and_a_single_one_stay():
    assert gathered([]) == []
    assert gathered(words(3.0)) == words(3.0)
