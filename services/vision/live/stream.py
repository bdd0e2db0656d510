"""What becomes of the frames of one stream: which are looked at, which are worth an answer, which
are dropped, and what is told of it.

It does nothing itself: it is told what has happened and when, and says what is to be done next. It
knows neither the contract, nor an engine, nor how pictures are compared.

Every frame that came is counted once: told of in an answer, skipped because it shows nothing new,
dropped because newer ones came, or refused.
"""

from datetime import timedelta
from typing import Final

from services.chassis.errors import MeshError
from services.chassis.pool import Account
from services.engine.domain import Answer
from services.vision.live import notices
from services.vision.live.demand import Demand
from services.vision.live.domain import (
    Age,
    Counts,
    Fate,
    Frame,
    Name,
    Notice,
    Reason,
    Seen,
    Settings,
    Shot,
    Still,
    Wanted,
    Whole,
)
from services.vision.live.rhythm import Rhythm
from services.vision.live.steps import Ask, Look, Over, Step, Tell, Wait
from services.vision.live.window import Window

STILL_SECONDS: Final = 1.0
"""The least seconds between two words that an answer still holds, or that there is no room."""


class Stream:
    """The state of one stream. `threshold` holds for settings that name none."""

    def __init__(self, account: Account, *, threshold: float) -> None:
        self._threshold = threshold
        self._settings = Settings()
        self._asked = 0
        self._number = 0
        self._window = Window(account)
        self._last: Whole | None = None
        """The answer that holds while nothing new is seen. None: no answer does."""
        self._before: Seen | None = None
        """What the newest frame of that answer showed."""
        self._due = self._hold = self._told = 0.0
        """Before these, by the cadence, the engine and the last word, nothing is to be done."""
        self._dropped = self._skipped = 0
        self._turned_away: Frame | None = None
        """The newest frame for which there was no room, while the watcher does not know of it."""
        self._warned = -STILL_SECONDS
        self._demand = Demand()
        self._rhythm = Rhythm()
        self._ended = False

    def set(self, settings: Settings) -> None:
        """Ask this of the frames from now on; no answer to what was asked before holds."""
        self._settings = settings
        self._asked += 1
        self._demand.drop()
        self._last = self._before = None
        self._due = self._hold = 0.0
        for frame in self._untold():
            frame.fate = Fate.NEW
        self._count(self._window.shape(settings.window, settings.spread))

    def add(self, frame: Frame, *, more: bool = False) -> None:
        """Take a frame that has come; if others follow at once, with the last of them."""
        if self._demand.came(more=more):
            self._count(self._window.clear())
        self._rhythm.came(frame.received)
        left = self._window.add(frame)
        self._count(left)
        if frame in left:
            self._turned_away = frame

    def end(self) -> None:
        """Take note that nothing more will come; what is left is not held back any longer."""
        self._ended = True

    def next(self, now: float) -> Step:
        """Say what is to be done."""
        warning = self._warned + STILL_SECONDS
        if self._turned_away and (now >= warning or self._ended):
            return self._warn(self._turned_away, now)
        untold = self._untold()
        if not untold or (self._ended and now < self._hold):
            until = warning if self._turned_away else None
            return Over() if self._ended else self._wait(now, until)
        if self._demand.is_midway and not self._ended:
            return Wait()
        held_back = max(self._due, self._hold)
        if now < held_back and not self._ended:
            return Wait(held_back)
        soon = None if self._settings.on_demand else self._rhythm.soon(now)
        if soon is not None and not self._ended:
            return Wait(soon)
        last = self._last
        if last is None or self._is_worth_asking(untold):
            return Ask()
        unseen = [it for it in untold if it.fate is Fate.FRESH]
        if unseen:
            return Look(unseen[-1])
        again = self._told + max(self._settings.cadence, STILL_SECONDS)
        if now < again and not self._ended:
            return self._wait(now, again)
        return self._tell(last, untold, now)

    def looked(self, frame: Frame, seen: Seen) -> None:
        """Take note of what a glance at a frame has left."""
        frame.seen = seen
        if frame.fate is Fate.FRESH:
            before = self._before
            is_new = before is None or seen.difference(before) >= self._least_change()
            frame.fate = Fate.NEW if is_new else Fate.SAME

    def refused(self, frame: Frame, error: MeshError) -> Notice:
        """Leave out a frame that cannot be looked at."""
        self._window.remove(frame)
        frame.fate = Fate.REFUSED
        return Notice(Reason.FRAME_REFUSED, str(error), error.code, frame_id=frame.id)

    def renew(self, now: float) -> Wanted | None:
        """Say what is wanted before `begin`, now that there is a turn: where frames come on demand,
        those that came have become old while it was waited for. None: nothing is.
        """
        untold = self._untold()
        if not self._settings.on_demand or not untold or self._ended:
            return None
        return self._demand.renew(self._settings, untold[-1].received, now)

    @property
    def is_renewing(self) -> bool:
        """Whether what is wanted has not come, or not all of it."""
        return self._demand.is_renewing and not self._ended

    def begin(self, now: float) -> Shot | None:
        """Take what an answer shall be about, now that there is a turn. None: nothing is left."""
        self._demand.drop()
        untold = tuple(self._untold())
        if not untold:
            return None
        self._number += 1
        self._due = now + self._settings.cadence
        frames = self._window.take()
        for frame in untold:
            frame.fate = Fate.TOLD
        return Shot(self._number, self._asked, self._settings, frames, untold, now)

    def answered(self, shot: Shot, answer: Answer, now: float) -> Whole:
        """Take an answer. It holds until something new is seen or asked."""
        took = timedelta(seconds=now - shot.begun)
        frames = shot.fit
        age = _age(frames[-1], now)
        named = tuple(Name(it.id, it.captured) for it in frames)
        whole = Whole(shot.number, shot.asked, answer, named, age, self._counts(now), took)
        if shot.asked == self._asked:
            self._last, self._before = whole, frames[-1].seen
        return whole

    def failed(self, error: MeshError, now: float, shot: Shot | None = None) -> Notice:
        """Take note that the engine did not answer; its frames count as if nobody had asked."""
        reason, after = notices.reason(error)
        self._hold = now + after.total_seconds()
        if shot is None:
            return Notice(reason, str(error), error.code, after)
        self.put_back(shot)
        return Notice(reason, str(error), error.code, after, number=shot.number, asked=shot.asked)

    def put_back(self, shot: Shot) -> None:
        """Keep the frames of an answer that was not given, as far as there is room."""
        back = [it for it in shot.untold if it.fate is not Fate.REFUSED]
        for frame in back:
            frame.fate = Fate.NEW
        self._count(self._window.put_back(back))
        self._due = 0.0

    def _is_worth_asking(self, untold: list[Frame]) -> bool:
        is_comparable = self._before is not None and self._least_change() > 0
        return not is_comparable or any(it.fate is Fate.NEW for it in untold)

    def _wait(self, now: float, until: float | None) -> Tell | Wait:
        """Wait for frames to come, and where they come on demand, want one."""
        if not self._settings.on_demand:
            return Wait(until)
        wanted = self._demand.look(now, max(self._due, self._hold))
        if isinstance(wanted, Wanted):
            return Tell(wanted)
        return Wait(min((it for it in (wanted, until) if it is not None), default=None))

    def _tell(self, last: Whole, untold: list[Frame], now: float) -> Tell:
        for frame in untold:
            frame.fate = Fate.TOLD
        self._skipped += len(untold)
        return Tell(Still(last, _age(untold[-1], now), self._counts(now)))

    def _warn(self, frame: Frame, now: float) -> Tell:
        self._turned_away, self._warned = None, now
        return Tell(notices.no_room(frame))

    def _counts(self, now: float) -> Counts:
        counts = Counts(self._dropped, self._skipped)
        self._dropped = self._skipped = 0
        self._told = now
        return counts

    def _count(self, left: list[Frame]) -> None:
        for frame in left:
            match frame.fate:
                case Fate.SAME:
                    self._skipped += 1
                case Fate.FRESH | Fate.NEW:
                    self._dropped += 1

    def _untold(self) -> list[Frame]:
        return [it for it in self._window if it.fate is not Fate.TOLD]

    def _least_change(self) -> float:
        named = self._settings.threshold
        return self._threshold if named is None else named


def _age(frame: Frame, now: float) -> Age:
    here = max(0.0, now - frame.received)
    return Age(timedelta(seconds=here + frame.lag), timedelta(seconds=here))
