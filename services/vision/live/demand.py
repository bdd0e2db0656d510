"""What is asked of a watcher who sends frames only when they are wanted: one at a time to look at,
and those of an answer when its turn has come. It knows neither frames nor answers.
"""

from enum import Enum
from typing import Final

from services.vision.live.domain import Settings, Wanted

LOOK_SECONDS: Final = 0.1
"""The least seconds between two looks at a stream whose frames come on demand."""
FRESH_SECONDS: Final = 0.05
"""Up to this age a single frame that came on demand is new enough for an answer."""


class _Asked(Enum):
    NOTHING = "nothing"
    NEW = "new"
    """A frame that was not sent before."""
    OTHERS = "others"
    """Frames that take the place of those that came."""


class Demand:
    """What is wanted of one stream, and has not come yet."""

    def __init__(self) -> None:
        self._asked = _Asked.NOTHING
        self._looked = -LOOK_SECONDS
        self.is_midway = False
        """Whether more frames follow the last one at once."""

    @property
    def is_renewing(self) -> bool:
        """Whether the frames of an answer have not come, or not all of them."""
        return self.is_midway or self._asked is _Asked.OTHERS

    def drop(self) -> None:
        """Wait no more for what was wanted."""
        self._asked = _Asked.NOTHING
        self.is_midway = False

    def came(self, *, more: bool) -> bool:
        """Take note of a frame. Returns whether those that came before it must go."""
        replaces = self._asked is _Asked.OTHERS
        self._asked = _Asked.NOTHING
        self.is_midway = more
        return replaces

    def look(self, now: float, due: float) -> Wanted | float | None:
        """Want a frame to look at, not before `due`. Returns when to do so, where it is too early;
        None while one is wanted already.
        """
        if self._asked is not _Asked.NOTHING:
            return None
        due = max(due, self._looked + LOOK_SECONDS)
        if now < due:
            return due
        self._asked, self._looked = _Asked.NEW, now
        return Wanted(1)

    def renew(self, settings: Settings, newest: float, now: float) -> Wanted | None:
        """Want the frames of an answer whose turn has come, for those that came, the newest at
        `newest`, are old by now. None: they are new enough.
        """
        if settings.window == 1 and now < newest + FRESH_SECONDS:
            return None
        self._asked = _Asked.OTHERS
        return Wanted(settings.window, at_once=True)
