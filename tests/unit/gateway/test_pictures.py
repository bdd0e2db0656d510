import base64
from datetime import UTC, datetime

import pytest

from gateway.bridge.pictures import image_from_json

TEXT = base64.b64encode(b"pixels").decode()
UUID = "6f1f8a52-5b0e-4a35-9e0f-0d9a5d2c7b11"


@pytest.mark.parametrize(
    "value",
    [
        TEXT,
        f"data:image/jpeg;base64,{TEXT}",
        f"data:image/png;charset=x;base64,{TEXT}",
        f"{TEXT[:3]}\n {TEXT[3:]}",
        {"data": TEXT},
    ],
)
def test_every_way_to_write_a_picture_gives_its_bytes(value):
    assert image_from_json(value, "here").data == b"pixels"


@pytest.mark.parametrize(
    ("said", "image_id"),
    [
        ({"id": "mine", "name": f"photo_{UUID}.jpg"}, "mine"),
        ({"name": f"photo_{UUID}.jpg"}, UUID),
        ({"name": "photo.jpg"}, "photo.jpg"),
        ({}, ""),
    ],
)
def test_a_picture_is_called_by_its_id_or_by_its_name(said, image_id):
    assert image_from_json({"data": TEXT, **said}, "here").id == image_id


@pytest.mark.parametrize(
    "said",
    [
        {"timestamp": "2025-10-11T12:00:00Z"},
        {"timestamp": "2025-10-11T14:00:00+02:00"},
        {"timestamp": "2025-10-11T12:00:00"},
        {"timestamp": "20251011_120000"},
        {"name": "IMG_20251011_120000.jpg"},
        {"name": f"IMG_20251011_120000_{UUID}"},
        {"name": "IMG_20240101_000000.jpg", "timestamp": "2025-10-11T12:00:00Z"},
    ],
)
def test_a_pictures_time_is_said_or_stands_in_its_name(said):
    taken = image_from_json({"data": TEXT, **said}, "here").capture_time.ToDatetime(UTC)
    assert taken == datetime(2025, 10, 11, 12, tzinfo=UTC)


def test_a_picture_may_have_no_time():
    assert not image_from_json({"data": TEXT, "name": "IMG_2025.jpg"}, "x").HasField("capture_time")
