import io

import pytest
from PIL import Image

from services.chassis import limits
from services.media import frames
from services.media.frames import Sampling, sampled
from services.media.refused import Refused
from tests.doubles.videos import (
    BAD_VIDEOS,
    CONTAINERS,
    shade,
    shown_by,
    sound_alone,
    video,
    without_beginning,
)

ALL = Sampling(frames_per_second=30, most_frames=512, most_pixels=1_000_000)


def shown(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def grey(data: bytes) -> int:
    picture = shown(data)
    return int(picture.getpixel((picture.width - 4, picture.height - 4))[0])


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_frame_has_its_time(container: str) -> None:
    found = list(sampled(video(container), ALL))
    assert [round(seconds, 2) for seconds, _ in found] == [round(n / 5, 2) for n in range(20)]
    for number, (_, picture) in enumerate(found):
        assert grey(picture) == pytest.approx(shade(number), abs=8)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("rate", "most", "numbers"),
    [
        (1, 512, [0, 5, 10, 15]),
        (2.5, 512, list(range(0, 20, 2))),
        (30, 1, [0]),
        (30, 2, [0, 19]),
        (30, 5, [0, 4, 9, 14, 19]),
        (0.01, 512, [0]),
    ],
)
def test_frames_are_taken_by_rate_and_spread_evenly_where_they_are_too_many(
    container: str, rate: float, most: int, numbers: list[int]
) -> None:
    found = list(sampled(video(container), Sampling(rate, most, 1_000_000)))
    assert [round(seconds * 5) for seconds, _ in found] == numbers
    for number, (_, picture) in zip(numbers, found, strict=True):
        assert grey(picture) == pytest.approx(shade(number), abs=8)


def test_what_lies_between_key_frames_is_not_decoded_when_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sought = []
    seek = frames._sought
    monkeypatch.setattr(frames, "_sought", lambda *it: sought.append(it[-1]) or seek(*it))
    long = video("mp4", frames=100, rate=5, key_every=10)
    assert len(list(sampled(long, Sampling(30, 3, 1_000_000)))) == 3
    assert len(sought) == 2


def test_a_frame_is_shrunk_to_the_budget_and_keeps_its_shape() -> None:
    (_, picture), *_ = sampled(video("mp4", size=(640, 480)), Sampling(1, 1, 30_000))
    small = shown(picture)
    assert 28_000 < small.width * small.height <= 30_000
    assert small.width / small.height == pytest.approx(4 / 3, rel=0.02)


HELD = {
    "as it is": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (-1, 0, 0, -1),
    "upside down and mirrored": (1, 0, 0, -1),
    "to the right": (0, 1, -1, 0),
    "to the right and mirrored": (0, 1, 1, 0),
    "to the left": (0, -1, 1, 0),
    "to the left and mirrored": (0, -1, -1, 0),
}
"""How a phone was held, by what takes each pixel of its video to where it is shown."""


@pytest.mark.parametrize(("a", "b", "c", "d"), HELD.values(), ids=HELD.keys())
def test_a_video_is_shown_as_its_camera_was_held(a: int, b: int, c: int, d: int) -> None:
    (_, data), *_ = sampled(shown_by(video("mp4"), a, b, c, d), Sampling(1, 1, 1_000_000))
    picture = shown(data)
    assert picture.size == ((64, 48) if a else (48, 64))
    # Of what is stored the upper left is red.
    right, down = (-a - c) > 0, (-b - d) > 0
    for x in (False, True):
        for y in (False, True):
            place = (picture.width * (1 + 2 * x) // 4, picture.height * (1 + 2 * y) // 4)
            assert (picture.getpixel(place)[0] > 200) == ((x, y) == (right, down))


def test_a_matrix_that_turns_a_little_is_left_out() -> None:
    (_, data), *_ = sampled(shown_by(video("mp4"), 1, 1, -1, 1), Sampling(1, 1, 1_000_000))
    assert shown(data).size == (64, 48)


@pytest.mark.parametrize("container", ["mp4", "webm"])
@pytest.mark.parametrize("begin", [0, 500])
def test_frames_keep_the_times_at_which_they_were_taken(container: str, begin: int) -> None:
    times = (0, 10, 20, 500, 510, 2_000, 2_010)
    at = tuple(begin + it for it in times)
    data = video(container, frames=7, rate=100, shown_at=at)
    found = list(sampled(data, ALL))
    assert [round(seconds * 100) for seconds, _ in found] == list(times)
    assert [grey(it) for _, it in found] == pytest.approx([shade(n) for n in range(7)], abs=8)


def test_frames_that_are_stored_in_another_order_are_shown_in_theirs() -> None:
    found = list(sampled(video("mp4", b_frames=3), ALL))
    assert [round(seconds * 5) for seconds, _ in found] == list(range(20))
    assert [grey(it) for _, it in found] == pytest.approx([shade(n) for n in range(20)], abs=8)


def test_what_was_trimmed_away_is_not_shown() -> None:
    found = list(sampled(without_beginning(video("mp4", b_frames=3), 3), ALL))
    assert [round(seconds * 5) for seconds, _ in found] == list(range(17))
    assert [grey(it) for _, it in found] == pytest.approx([shade(n + 3) for n in range(17)], abs=8)


@pytest.mark.parametrize(
    ("container", "codec", "pixels"),
    [
        ("avi", "mjpeg", "yuvj420p"),
        ("mov", "mjpeg", "yuvj420p"),
        ("mp4", "libx265", "yuv420p10le"),
        ("webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_what_small_cameras_and_new_phones_write_is_read(
    container: str, codec: str, pixels: str
) -> None:
    found = list(sampled(video(container, codec=codec, pixels=pixels), ALL))
    assert [round(seconds * 5) for seconds, _ in found] == list(range(20))
    assert [grey(it) for _, it in found] == pytest.approx([shade(n) for n in range(20)], abs=8)


def test_a_codec_that_no_camera_writes_is_named() -> None:
    with pytest.raises(Refused) as refused:
        list(sampled(BAD_VIDEOS["a codec of the nineties"][0], ALL))
    assert refused.value.problem == "is coded as wmv2, which is not taken"


def test_a_piped_video_says_nothing_of_its_length() -> None:
    found = list(sampled(video("webm", live="1"), Sampling(1, 512, 1_000_000)))
    assert [round(seconds) for seconds, _ in found] == [0, 1, 2, 3]


def test_a_fragmented_video_is_read() -> None:
    data = video("mp4", movflags="frag_keyframe+empty_moov")
    found = list(sampled(data, Sampling(1, 512, 1_000_000)))
    assert [round(seconds) for seconds, _ in found] == [0, 1, 2, 3]


@pytest.mark.parametrize(("data", "code"), BAD_VIDEOS.values(), ids=BAD_VIDEOS.keys())
def test_what_is_no_video_is_refused_in_words(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        list(sampled(data, ALL))
    assert refused.value.code in (code, "VIDEO_UNREADABLE")
    assert refused.value.remedy


@pytest.mark.parametrize("container", CONTAINERS)
def test_sound_alone_is_no_video(container: str) -> None:
    with pytest.raises(Refused) as refused:
        list(sampled(sound_alone(container), ALL))
    assert refused.value.code == "VIDEO_MISSING"


PIECEWISE = {"mov": {"movflags": "frag_keyframe+empty_moov"}}
"""What makes a file that does not end with the list of its frames."""


@pytest.mark.parametrize("container", ["webm", "mov"])
def test_a_video_that_is_cut_short_gives_what_there_is(container: str) -> None:
    whole = video(container, frames=60, **PIECEWISE.get(container, {}))
    found = list(sampled(whole[: len(whole) * 2 // 3], ALL))
    assert 5 < len(found) < 60


def test_a_video_over_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VIDEO_SECONDS", 3)
    with pytest.raises(Refused) as refused:
        list(sampled(video("mp4"), ALL))
    assert refused.value.code == "VIDEO_TOO_LONG"
    monkeypatch.setattr(limits, "VIDEO_PIXELS", 64 * 48 - 1)
    with pytest.raises(Refused) as refused:
        list(sampled(video("mp4"), ALL))
    assert refused.value.code in ("VIDEO_TOO_LARGE", "VIDEO_UNREADABLE")
