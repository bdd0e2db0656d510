"""The socket of OpenMind's VILA: frames in as base64, bare or in JSON, and nothing out but
`{"vlm_reply"}`. It keeps the newest frames as they came, and the vision room has those that it
wants: most are never decoded nor sent on.

A frame that cannot be read is passed over, and a watch that breaks is taken up with a later frame:
the client is told of neither, as its original told it of nothing.
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import watch_pb2 as pb
from pydantic_core import from_json

from gateway.bridge.pictures import decoded
from gateway.bridge.session import Action, Converse, Feed, Leave, Say, Session, Socket
from services.chassis import limits
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import MeshError

PATHS: Final = ("/", "/vila")
PROMPT: Final = "What is the most interesting aspect in this series of images?"
WINDOW: Final = 5
SAMPLING: Final = chat_pb2.Sampling(max_tokens=48, temperature=0.7, top_p=0.95)
IDLE_SECONDS: Final = 60.0
"""Without a frame for so long, the watch ends and its place is free for others."""
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_ABOUT: Final = (
    "VILA: each message is a frame, as base64, as a data URL or as JSON"
    " (`timestamp`: its time in seconds since 1970; `frame`: base64), in a text or a binary"
    " message, or as the bytes of a picture. The newest five are answered again and again, as"
    " text: JSON with `vlm_reply`. Frames that come faster than they can be looked at are dropped,"
    " and what is no frame is passed over; neither is told."
)
_GLANCE: Final = 64
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=\s]")
_DEEPEST: Final = 2
_LATEST: Final = 4_102_444_800
"""A capture time later than the year 2100 is none."""


class _Kept:
    """A message that may be a frame, read when it is wanted."""

    def __init__(self, message: str | bytes, came: datetime) -> None:
        self._message: str | bytes | None = message
        self._came = came
        self._frame: image_pb2.Image | None = None
        self.size = len(message)

    def frame(self) -> image_pb2.Image | None:
        """The frame; None for what is none."""
        if self._message is not None:
            self._frame = _frame_from(self._message, self._came)
            self._message = None
        return self._frame


class VilaSession(Session):
    """One client of VILA's socket."""

    def __init__(self, prompt: str, clock: Clock) -> None:
        self._settings = pb.WatchSettings(
            prompt=prompt,
            window_frames=WINDOW,
            spread=pb.WATCH_SPREAD_NEWEST,
            sampling=SAMPLING,
            on_demand=True,
        )
        self._clock = clock
        self._kept: deque[_Kept] = deque(maxlen=WINDOW)
        self._sent: _Kept | None = None
        """The newest that was sent."""
        self._is_wanted = False
        """Whether the room waits for a frame that was not sent."""
        self._is_watching = False
        self._failures = 0
        self._again_at = 0.0

    @property
    def patience(self) -> float | None:
        """A minute while frames are watched or kept."""
        return IDLE_SECONDS if self._is_watching or self._kept else None

    @property
    def held(self) -> int:
        """What the frames take that may still be wanted."""
        return sum(it.size for it in self._kept)

    def shed(self) -> Iterator[Action]:
        """Keep the newest frame alone."""
        while len(self._kept) > 1:
            self._kept.popleft()
        yield from ()

    def text(self, text: str) -> Iterator[Action]:
        """Keep the frame for the room."""
        if _may_be_frame(text):
            yield from self._keep(text)

    def binary(self, data: bytes) -> Iterator[Action]:
        """Keep a frame that is its bytes, or the bytes of a text."""
        if data and (data[:1] != b"{" or b'"frame"' in data):
            yield from self._keep(data)

    def told(self, answer: Any) -> Iterator[Action]:
        """Send what is wanted; pass an answer on. One that still holds is an answer to a client
        that knows no other.
        """
        if answer.HasField("wanted"):
            self._is_wanted = not answer.wanted.at_once
            yield from self._send(answer.wanted.frames)
        elif answer.done or answer.unchanged:
            self._failures = 0
            yield Say(json.dumps({"vlm_reply": answer.text}), instead="vlm_reply")

    def ended(self, error: Exception | None) -> Iterator[Action]:
        """Take the watch up again with a frame that comes later."""
        wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        if isinstance(error, MeshError) and error.retry_after is not None:
            wait = max(wait, error.retry_after.total_seconds())
        self._failures += 1
        self._again_at = self._clock.monotonic() + wait
        self._is_watching = self._is_wanted = False
        yield from ()

    def ticked(self) -> Iterator[Action]:
        """End the watch of a client that sends no frames."""
        self._is_watching = self._is_wanted = False
        self._kept.clear()
        yield Leave()

    def _keep(self, message: str | bytes) -> Iterator[Action]:
        self._kept.append(_Kept(message, self._clock.now()))
        if self._is_wanted:
            yield from self._send(1)
            return
        if not self._is_watching and self._clock.monotonic() >= self._again_at:
            self._is_watching = True
            settings = pb.WatchRequest(settings=self._settings)
            yield Converse("VisionService", "Watch", settings, keeps=2 * WINDOW)

    def _send(self, count: int) -> Iterator[Action]:
        """Send the newest frames, the oldest of them first; what is none is forgotten."""
        frames: list[image_pb2.Image] = []
        for kept in reversed(tuple(self._kept)):
            if kept is self._sent and not frames and self._is_wanted:
                return
            frame = kept.frame()
            if frame is None:
                self._kept.remove(kept)
            else:
                frames.append(frame)
            if len(frames) == count:
                break
        if not frames:
            return
        self._sent, self._is_wanted = self._kept[-1], False
        for place in reversed(range(len(frames))):
            yield Feed(pb.WatchRequest(frame=frames[place], more=place > 0))


def sockets(*, prompt: str = PROMPT, clock: Clock | None = None) -> tuple[Socket, ...]:
    """Serve VILA's clients, whose frames are asked `prompt`."""
    time = clock or SystemClock()

    def begin(query: Mapping[str, str]) -> VilaSession:
        return VilaSession(prompt, time)

    return tuple(Socket(path, begin, _ABOUT) for path in PATHS)


def _may_be_frame(text: str) -> bool:
    """Tell cheaply what is plainly none, so that it takes no frame's place."""
    start = text.find(",") + 1 if text.startswith("data:") else 0
    begins = text[start : start + _GLANCE].lstrip()
    if begins[:1] == "{":
        return '"frame"' in text and text.rstrip()[-1] == "}"
    return bool(begins) and not _NOT_BASE64.search(begins)


def _frame_from(message: str | bytes, came: datetime) -> image_pb2.Image | None:
    frame: image_pb2.Image | None
    if isinstance(message, str):
        frame = _frame_from_text(message)
    elif message[:1] == b"{":
        frame = _frame_from_json(message, 0)
    else:
        frame = image_pb2.Image(data=message)
    if frame is None or len(frame.data) > limits.FRAME_BYTES:
        return None
    if not frame.HasField("capture_time"):
        # It may wait here until it is wanted.
        frame.capture_time.FromDatetime(came)
    return frame


def _frame_from_text(text: str, depth: int = 0) -> image_pb2.Image | None:
    """Read base64, a data URL, or JSON around either; None for what is none of these."""
    if text.startswith("data:"):
        text = text[text.find(",") + 1 :]
    if text.lstrip()[:1] == "{":
        return _frame_from_json(text, depth)
    try:
        data = decoded(text)
    except ValueError:
        return None
    return image_pb2.Image(data=data) if data else None


def _frame_from_json(text: str | bytes, depth: int) -> image_pb2.Image | None:
    try:
        sent = from_json(text)
    except ValueError:
        return None
    frame = sent.get("frame")
    if not isinstance(frame, str) or depth == _DEEPEST:
        return None
    image = _frame_from_text(frame, depth + 1)
    taken = sent.get("timestamp")
    # What is no time is no reason to leave the frame out.
    if image and isinstance(taken, int | float) and math.isfinite(taken) and 0 < taken < _LATEST:
        image.capture_time.FromMicroseconds(round(taken * 1e6))
    return image
