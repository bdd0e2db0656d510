import io

import pytest
from PIL import Image

from services.chassis import limits
from services.media import frames
from services.media.frames import Sampling, sampled
from services.media.refused import Refused
from tests.doubles.videos import BAD_VIDEOS, CONTAINERS, shade, sound_alone, video

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
