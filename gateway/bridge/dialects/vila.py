"""The socket of OpenMind's VILA: frames in as base64, bare or in JSON, and nothing out but
`{"vlm_reply"}`. It keeps no frame: the vision room watches the newest ones.

A frame that cannot be read is passed over, and a watch that breaks is taken up with a later frame:
the client is told of neither, as its original told it of nothing.
"""

import binascii
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pybase64
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import watch_pb2 as pb
from pydantic_core import from_json

from gateway.bridge.session import Action, Converse, Feed, Leave, Say, Session, Socket
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import MeshError

PATHS: Final = ("/", "/vila")
PROMPT: Final = "What is the most interesting aspect in this series of images?"
WINDOW: Final = 5
SAMPLING: Final = chat_pb2.Sampling(max_tokens=48, temperature=0.7, top_p=0.95)
FRAME_BYTES: Final = 8 * 1024 * 1024
"""The largest frame that the room takes."""
IDLE_SECONDS: Final = 60.0
"""Without a frame for so long, the watch ends and its place is free for others."""
RETRY_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_DEEPEST: Final = 2
_LATEST: Final = 4_102_444_800
"""A capture time later than the year 2100 is none."""


class VilaSession(Session):
    """One client of VILA's socket."""

    def __init__(self, prompt: str, clock: Clock) -> None:
        self._settings = pb.WatchSettings(
            prompt=prompt, window_frames=WINDOW, spread=pb.WATCH_SPREAD_NEWEST, sampling=SAMPLING
        )
        self._clock = clock
        self._is_watching = False
        self._failures = 0
        self._again_at = 0.0

    @property
    def patience(self) -> float | None:
        """A minute while frames are watched."""
        return IDLE_SECONDS if self._is_watching else None

    def text(self, text: str) -> Iterator[Action]:
        """Show the frame to the room."""
        frame = _frame_from_text(text)
        if frame is not None:
            yield from self._show(frame)

    def binary(self, data: bytes) -> Iterator[Action]:
        """Show a frame that is its bytes, or the bytes of a text."""
        if data[:1] == b"{":
            yield from self.text(data.decode(errors="replace"))
        elif data:
            yield from self._show(image_pb2.Image(data=data))

    def told(self, answer: Any) -> Iterator[Action]:
        """Pass an answer on; one that still holds is an answer to a client that knows no other."""
        if answer.done or answer.unchanged:
            self._failures = 0
            yield Say(json.dumps({"vlm_reply": answer.text}), instead="vlm_reply")

    def ended(self, error: Exception | None) -> Iterator[Action]:
        """Take the watch up again with a frame that comes later."""
        wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        if isinstance(error, MeshError) and error.retry_after is not None:
            wait = max(wait, error.retry_after.total_seconds())
        self._failures += 1
        self._again_at = self._clock.monotonic() + wait
        self._is_watching = False
        yield from ()

    def ticked(self) -> Iterator[Action]:
        """End the watch of a client that sends no frames."""
        self._is_watching = False
        yield Leave()

    def _show(self, frame: image_pb2.Image) -> Iterator[Action]:
        if len(frame.data) > FRAME_BYTES:
            return
        if not self._is_watching:
            if self._clock.monotonic() < self._again_at:
                return
            self._is_watching = True
            settings = pb.WatchRequest(settings=self._settings)
            yield Converse("VisionService", "Watch", settings, keeps=WINDOW)
        yield Feed(pb.WatchRequest(frame=frame))


def sockets(*, prompt: str = PROMPT, clock: Clock | None = None) -> tuple[Socket, ...]:
    """Serve VILA's clients, whose frames are asked `prompt`."""
    time = clock or SystemClock()

    def begin(query: Mapping[str, str]) -> VilaSession:
        return VilaSession(prompt, time)

    return tuple(Socket(path, begin) for path in PATHS)


def _frame_from_text(text: str, depth: int = 0) -> image_pb2.Image | None:
    """Read base64, a data URL, or JSON around either; None for what is none of these."""
    if text.startswith("data:"):
        text = text[text.find(",") + 1 :]
    if text.lstrip()[:1] == "{":
        return _frame_from_json(text, depth)
    try:
        data = pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = _decoded_lines(text)
    return image_pb2.Image(data=data) if data else None


def _frame_from_json(text: str, depth: int) -> image_pb2.Image | None:
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


def _decoded_lines(text: str) -> bytes:
    try:
        return pybase64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
