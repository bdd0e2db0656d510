import pytest

from services.engine.errors import Media, MediaRefused


@pytest.mark.parametrize(
    ("media", "most", "words"),
    [
        (Media.PICTURES, 0, "the model does not see"),
        (Media.PICTURES, 1, "the engine takes at most 1 picture in a request"),
        (Media.PICTURES, 2, "the engine takes at most 2 pictures in a request"),
        (Media.CLIPS, 1, "the engine takes at most 1 video in a request"),
    ],
)
def test_how_much_an_engine_takes_is_told_in_the_senders_words(
    media: Media, most: int, words: str
) -> None:
    assert MediaRefused(media, most).message == words
