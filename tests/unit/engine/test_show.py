import pytest

from services.engine.domain import Clip, Frame, Message, Picture, PictureType, Role, Text
from services.engine.errors import MediaRefused
from services.engine.machine import Capabilities
from services.engine.show import CLIP_FRAMES, shown

PICTURE = Picture(b"p", PictureType.JPEG)


def clip(frames: int) -> Clip:
    return Clip(tuple(Frame(Picture(b"%d" % it, PictureType.JPEG), it / 2) for it in range(frames)))


def ask(*parts: Text | Picture | Clip) -> list[Message]:
    return [Message(Role.USER, parts)]


def pictures(messages: list[Message]) -> list[bytes]:
    return [part.data for it in messages for part in it.parts if isinstance(part, Picture)]


@pytest.mark.parametrize("clips", [None, 1])
def test_a_clip_goes_whole_with_its_times_to_an_engine_that_takes_it(clips: int | None) -> None:
    messages = shown(ask(clip(3), Text("?")), Capabilities(clips=clips))
    times = Text("A video. Seconds of its frames: 0.0, 0.5, 1.0.")
    assert messages == ask(times, clip(3), Text("?"))


def test_a_clip_becomes_timed_frames_for_an_engine_that_takes_none() -> None:
    (message,) = shown(ask(clip(2), Text("?")), Capabilities(clips=0))
    first, second = (it.picture for it in clip(2).frames)
    assert message.parts == (Text("[0.0 s]"), first, Text("[0.5 s]"), second, Text("?"))


def test_more_clips_than_it_takes_whole_all_become_frames() -> None:
    messages = shown(ask(clip(2), clip(2)), Capabilities(clips=1))
    assert len(pictures(messages)) == 4


def test_frames_are_thinned_evenly_to_the_pictures_that_are_left() -> None:
    messages = shown(ask(PICTURE, clip(9), clip(2)), Capabilities(clips=0, pictures=7))
    assert pictures(messages) == [b"p", b"0", b"4", b"8", b"0", b"1"]


def test_a_clip_that_goes_whole_is_thinned_to_what_is_read_of_it() -> None:
    (message,) = shown(ask(clip(100)), Capabilities(clips=None))
    sent = message.parts[1]
    assert isinstance(sent, Clip)
    assert len(sent.frames) == CLIP_FRAMES
    assert (sent.frames[0].seconds, sent.frames[-1].seconds) == (0, 49.5)


def test_one_frame_is_kept_where_only_one_may_be() -> None:
    assert [it.seconds for it in clip(9).thinned(1).frames] == [0]


@pytest.mark.parametrize(
    ("parts", "most", "code"),
    [
        ((PICTURE, PICTURE), 1, "TOO_MANY_IMAGES"),
        ((PICTURE, clip(5)), 1, "TOO_MANY_IMAGES"),
        ((PICTURE,), 0, "TOO_MANY_IMAGES"),
        ((clip(1),), 0, "TOO_MANY_IMAGES"),
    ],
)
def test_more_pictures_than_it_takes_are_refused_without_asking(
    parts: tuple[Picture | Clip, ...], most: int, code: str
) -> None:
    with pytest.raises(MediaRefused) as refused:
        shown(ask(*parts), Capabilities(clips=0, pictures=most))
    assert (refused.value.code, refused.value.most) == (code, most)
    assert refused.value.remedy


def test_words_alone_stay_as_they_are() -> None:
    assert shown(ask(Text("?")), Capabilities(pictures=0)) == ask(Text("?"))
