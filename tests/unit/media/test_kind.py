import pytest

from services.media.kind import UNKNOWN, media_type
from tests.doubles.pictures import scene_png


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (scene_png(), "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"RIFF\n\0\0\0WEBP", "image/webp"),
        (b"RIFF\n\0\0\0WAVE", "audio/wav"),
        (b"RIFF\n\0\0\0AVI LIST", "video/x-msvideo"),
        (b"\0\0\0 ftypheic", "image/heic"),
        (b"\0\0\0 ftypisom", "video/mp4"),
        (b"\0\0\0 ftypM4A ", "audio/mp4"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x82\x84webm", "video/webm"),
        (b"OggS", "audio/ogg"),
        (b"", UNKNOWN),
        (b"<html>", UNKNOWN),
        (b"<svg onload='x'/>", UNKNOWN),
        (b"%PDF-1.7", UNKNOWN),
        (b" \xff\xd8\xff", UNKNOWN),
    ],
)
def test_bytes_are_what_they_begin_as_and_never_a_page(data, kind):
    assert media_type(data) == kind
