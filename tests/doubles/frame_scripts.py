"""Scripts of what happens to a stream, played with a clock and an engine that are not real."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.chassis.errors import MeshError
from services.chassis.pool import Account, Pool
from services.engine.domain import Answer, FinishReason
from services.vision.live.domain import Frame, Notice, Seen, Settings, Shot, Still, Whole
from services.vision.live.steps import Ask, Look, Over, Tell, Wait
from services.vision.live.stream import Stream

DAY = datetime(2026, 1, 2, tzinfo=UTC)
THRESHOLD = 0.5
Event = tuple[float, Frame | Settings | None]
"""When, and what comes; None is the end."""


@dataclass(frozen=True)
class Shade:
    """What a glance at a frame of the scripts leaves: its only byte."""

    value: int

    def difference(self, other: Seen) -> float:
        assert isinstance(other, Shade)
        return abs(self.value - other.value) / 255


def frame(at: float, shade: int = 0, *, lag: float = 0.0, size: int = 1) -> Frame:
    return Frame(
        f"{at:g}", bytes([shade]) * size, DAY + timedelta(seconds=at - lag), received=at, lag=lag
    )


def frames(since: float, until: float, shade: int = 0, *, rate: int = 10) -> Iterator[Event]:
    for number in range(round(since * rate), round(until * rate)):
        yield number / rate, frame(number / rate, shade)


def made(pool: Pool | None = None) -> Stream:
    return Stream(Account(pool or Pool(1 << 40, holders=1)), threshold=THRESHOLD)


@dataclass
class Player:
    """Plays scripts; engine calls take `latency` seconds, and those of numbers in `fails` fail."""

    stream: Stream = field(default_factory=lambda: made())
    latency: float = 0.0
    fails: dict[int, MeshError] = field(default_factory=dict)
    told: list[tuple[float, Whole | Still | Notice]] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    looks: int = 0
    is_over: bool = False

    def play(self, events: Iterable[Event], *, until: float = 1e9) -> "Player":
        coming = sorted(events, key=lambda it: it[0])
        now, busy = 0.0, None
        while True:
            wake = None
            if busy is None:
                busy, wake = self._act(now)
            if self.is_over:
                return self
            times = [at for at, _ in coming[:1]]
            times += [] if wake is None else [wake]
            times += [] if busy is None else [busy[1]]
            if not times or min(times) > until:
                return self
            now = max(now, min(times))
            if busy and busy[1] <= now:
                self.told.append((now, self._finished(busy[0], now)))
                busy = None
            while coming and coming[0][0] <= now:
                self._happen(coming.pop(0)[1])

    def answers(self) -> list[Whole]:
        return [it for _, it in self.told if isinstance(it, Whole)]

    def stills(self) -> list[Still]:
        return [it for _, it in self.told if isinstance(it, Still)]

    def _act(self, now: float) -> tuple[tuple[Shot, float] | None, float | None]:
        while True:
            match self.stream.next(now):
                case Look(frame):
                    self.looks += 1
                    self.stream.looked(frame, Shade(frame.data[0]))
                case Ask():
                    shot = self.stream.begin(now)
                    assert shot is not None
                    self.shots.append(shot)
                    return (shot, now + self.latency), None
                case Tell(reply):
                    self.told.append((now, reply))
                case Wait(wake):
                    return None, wake
                case Over():
                    self.is_over = True
                    return None, None

    def _finished(self, shot: Shot, now: float) -> Whole | Notice:
        if shot.number in self.fails:
            return self.stream.failed(self.fails[shot.number], now, shot)
        newest = shot.frames[-1]
        newest.seen = Shade(newest.data[0])
        answer = Answer(f"shade {newest.data[0]}", FinishReason.STOP, 1, 2, "m")
        return self.stream.answered(shot, answer, now)

    def _happen(self, event: Frame | Settings | None) -> None:
        match event:
            case Frame():
                self.stream.add(event)
            case Settings():
                self.stream.set(event)
            case None:
                self.stream.end()
