"""The tokens that lead from one page of jobs, or of what belongs to them, to the next. They say
where, never whose: a token from elsewhere shows a caller nothing but its own.
"""

import base64
import struct
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from services.chassis.errors import InvalidInput
from services.jobs.domain import JobId
from services.jobs.ports.store import Place

_FORMAT: Final = ">q16s"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


def token_after(place: Place) -> str:
    """Write where the page after `place` begins."""
    packed = struct.pack(_FORMAT, (place.create_time - _EPOCH) // _TICK, place.id.bytes)
    return base64.urlsafe_b64encode(packed).decode()


def place_from_token(token: str) -> Place:
    """Read where a page begins."""
    try:
        packed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        ticks, job_id = struct.unpack(_FORMAT, packed)
        return Place(_EPOCH + ticks * _TICK, JobId(UUID(bytes=job_id)))
    except (ValueError, OverflowError, struct.error):
        raise InvalidInput.field(
            "page_token",
            "is not one of ours",
            remedy="pass next_page_token on as it came, or leave it out",
            code="INVALID_PAGE_TOKEN",
        ) from None
