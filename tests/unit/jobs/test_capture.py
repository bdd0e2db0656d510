from datetime import UTC, datetime

import pytest

from services.jobs.capture import time_in_name

NOON = datetime(2025, 10, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("IMG_20251011_120000.jpg", NOON),
        ("IMG_20251011_120000", NOON),
        ("a_20251011_120000_20240101_000000.png", NOON),
        ("a_20259911_120000_20251011_120000.png", NOON),
        ("IMG_20251011_1200001.jpg", None),
        ("20251011_120000.jpg", None),
        ("IMG_20251011-120000.jpg", None),
        ("", None),
    ],
)
def test_the_first_time_in_a_name_is_when_its_picture_was_taken(name, time):
    assert time_in_name(name) == time
