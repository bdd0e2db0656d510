"""When a picture was taken, as its name tells."""

import re
from datetime import UTC, datetime
from typing import Final

# As in IMG_20251011_120000.jpg: an underscore, then date and time, then what is no digit or letter.
_STAMP: Final = re.compile(r"_(\d{8}_\d{6})(?=[_.]|$)")


def time_in_name(name: str) -> datetime | None:
    """Read the first time in a name, which is in UTC; None where there is none."""
    for stamp in _STAMP.findall(name):
        try:
            return datetime.strptime(stamp, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
