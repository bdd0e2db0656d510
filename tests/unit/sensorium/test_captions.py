from datetime import timedelta

import pytest

from sensorium import captions


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, " 0:00.0"), (9.44, " 0:09.4"), (59.97, " 1:00.0"), (14_399.99, "240:00.0")],
)
def test_times_are_minutes_and_seconds_to_a_tenth(seconds, shown):
    assert captions._clock(timedelta(seconds=seconds)) == shown
