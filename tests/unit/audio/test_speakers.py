import itertools
import random

import pytest

from services.audio import speakers
from services.audio.domain import SpeakerTurn, Transcript, Word, segment_of
from tests.doubles.diarizer_fake import FakeDiarizer


def transcript(*sentences: str) -> Transcript:
    """Each word takes a second."""
    segments, at = [], 0
    for sentence in sentences:
        words = [Word(at + n, at + n + 1, f" {it}", 0.5) for n, it in enumerate(sentence.split())]
        segments.append(segment_of(words, "en"))
        at += len(words)
    return Transcript(tuple(segments), "en", float(at))


def told(made: Transcript) -> list[tuple[str, str]]:
    return [(it.speaker, it.text) for it in made.segments]


def test_speakers_are_numbered_as_they_first_speak():
    turns = [SpeakerTurn(0, 2, 7), SpeakerTurn(2, 4, 3), SpeakerTurn(4, 6, 7)]
    made = speakers.named(transcript("Good morning.", "Good evening.", "Good night."), turns)
    assert told(made) == [("S1", "Good morning."), ("S2", "Good evening."), ("S1", "Good night.")]
    assert made.speakers_told_apart


def test_a_segment_is_split_between_the_words_where_the_voice_changes():
    before = transcript("Hello there. Hello yourself.")
    made = speakers.named(before, [SpeakerTurn(0, 1.9, 0), SpeakerTurn(1.9, 4, 1)])
    assert told(made) == [("S1", "Hello there."), ("S2", "Hello yourself.")]
    assert made.text == before.text
    assert [it.start_seconds for it in made.segments] == [0, 2]
    assert {it.language for it in made.segments} == {"en"}


def test_a_word_outside_every_turn_is_the_nearest_speakers():
    made = speakers.named(transcript("One two three four"), [SpeakerTurn(0, 1, 0)])
    assert told(made) == [("S1", "One two three four")]


@pytest.mark.parametrize("seed", range(20))
def test_of_each_word_the_turn_is_found_that_shares_most_with_it(seed):
    chance = random.Random(seed)
    places = sorted(round(chance.uniform(0, 40), 1) for _ in range(24))
    spans = list(itertools.pairwise(places))[:: chance.choice((1, 2))]
    turns = [SpeakerTurn(start, end, chance.randrange(3)) for start, end in spans]
    before = transcript(*(["word"] * 40))
    made = speakers.named(before, turns)
    names = dict[int, str]()
    for word, segment in zip(before.segments, made.segments, strict=True):
        best = max(turns, key=lambda it: speakers._shared(word.words[0], it))
        assert segment.speaker == names.setdefault(best.voice, f"S{len(names) + 1}")


def test_of_hours_only_the_turns_around_each_word_are_looked_at(monkeypatch):
    looks = []
    monkeypatch.setattr(speakers, "_shared", lambda word, turn: looks.append(turn) or 0.0)
    turns = [SpeakerTurn(at, at + 1, at % 2) for at in range(1_000)]
    speakers.named(transcript(*(["word"] * 1_000)), turns)
    assert len(looks) <= 4 * 1_000


def test_without_any_turn_all_is_one_speakers():
    assert told(speakers.named(transcript("One.", "Two."), [])) == [("S1", "One."), ("S1", "Two.")]


async def test_without_a_diarizer_the_transcript_stays_and_says_so():
    made = await speakers.told_apart(transcript("One."), None)
    assert told(made) == [("", "One.")]
    assert not made.speakers_told_apart


async def test_a_diarizer_that_broke_down_leaves_the_transcript_as_it_was():
    made = await speakers.told_apart(transcript("One."), FakeDiarizer(broken=True).listen())
    assert told(made) == [("", "One.")]
    assert not made.speakers_told_apart
