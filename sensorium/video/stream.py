"""A video that never falls behind: read in a thread, opened again when it breaks, and of its frames
each listener has the newest. It knows nobody who listens.
"""

import asyncio
import inspect
import logging
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sensorium.edge import wait_seconds
from sensorium.errors import Trouble
from sensorium.video import capture
from sensorium.video.capture import Camera, Frame, Look, Source

_log = logging.getLogger(__name__)

STOP_SECONDS: Final = 5.0

Callback = Callable[[str], Any]
"""Takes a frame as JSON text; what it returns is awaited where it can be."""


class VideoStream:
    """Frames of a camera, or of `source`: a file, or an address such as `rtsp://`.

    Started in an event loop, it calls back in that loop, the next frame when the last callback is
    done; elsewhere in a thread of its own. A camera or an address that breaks is opened again.
    """

    def __init__(
        self,
        frame_callback: Callback | None = None,
        fps: float = 30,
        resolution: tuple[int, int] = (640, 480),
        jpeg_quality: int = 70,
        device_index: int = 0,
        *,
        source: str | None = None,
    ) -> None:
        self._source: Source = Camera(device_index) if source is None else source
        self._look = Look(fps, resolution, jpeg_quality)
        self._callbacks: list[Callback] = [frame_callback] if frame_callback else []
        self._listeners: list[_Listener] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def register_frame_callback(self, callback: Callback) -> None:
        """Call back another one too, from the next frame on."""
        self._callbacks.append(callback)
        if self._thread is not None and self._loop is not None:
            self._listen(self._loop, callback)

    def start(self) -> None:
        """Begin to read. Raises `Trouble` for a file that is not there."""
        if self._thread is not None:
            return
        if not capture.is_live(self._source) and not Path(str(self._source)).is_file():
            raise Trouble(f"there is no video at {self._source}")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        if self._loop is not None:
            for callback in self._callbacks:
                self._listen(self._loop, callback)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name="video", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End. Frames end, and a callback that has begun is the last."""
        self._stop.set()
        for listener in self._listeners:
            listener.leave()
        self._listeners.clear()
        thread, self._thread = self._thread, None
        # An event loop must not wait for a camera; the thread ends by itself.
        if thread is not None and self._loop is None and thread is not threading.current_thread():
            thread.join(STOP_SECONDS)

    async def frames(self) -> AsyncIterator[Frame]:
        """The newest frame, again and again, until the video ends; frames in between are dropped.

        Starts the video. Raises `Trouble` when a file cannot be read.
        """
        listener = _Listener(asyncio.get_running_loop())
        self._listeners.append(listener)
        self.start()
        try:
            async for frame in listener.frames():
                yield frame
        finally:
            self.stop()

    def _listen(self, loop: asyncio.AbstractEventLoop, callback: Callback) -> None:
        listener = _Listener(loop)
        self._listeners.append(listener)
        task = loop.create_task(_call_back(callback, listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            problem = None
            try:
                for frame in capture.frames(self._source, self._look, stop):
                    failures = 0
                    self._show(frame, stop)
            except OSError as broken:
                problem = broken
            if not capture.is_live(self._source):
                for listener in tuple(self._listeners):
                    listener.end(problem)
                return
            if not stop.is_set():
                why = problem or "it ended"
                _log.warning("the video broke off and is opened again: %s", why)
            wait = wait_seconds(None, failures)
            failures += 1
            stop.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311 - it guards nothing

    def _show(self, frame: Frame, stop: threading.Event) -> None:
        if stop.is_set():
            return
        for listener in tuple(self._listeners):
            listener.show(frame)
        if self._loop is None:
            for callback in tuple(self._callbacks):
                try:
                    callback(frame.text)
                except Exception:
                    _log.exception("a callback of a video failed")


class _Listener:
    """The newest frame that somebody in an event loop has not taken yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._came = asyncio.Event()
        self._is_waking = False
        self._newest: Frame | None = None
        self._is_ended = False
        self._problem: Exception | None = None

    def show(self, frame: Frame) -> None:
        self._newest = frame
        self._wake()

    def end(self, problem: Exception | None = None) -> None:
        self._problem = problem
        self._is_ended = True
        self._wake()

    def leave(self) -> None:
        self._newest = None
        self.end()

    async def frames(self) -> AsyncIterator[Frame]:
        while True:
            await self._came.wait()
            self._came.clear()
            frame, self._newest = self._newest, None
            if frame is not None:
                yield frame
            if self._is_ended and self._newest is None:
                break
        if self._problem is not None:
            raise Trouble(str(self._problem))

    def _wake(self) -> None:
        # Once, however many frames come while the loop is busy.
        if not self._is_waking:
            self._is_waking = True
            with suppress(RuntimeError):
                # The loop has ended before the video.
                self._loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        self._is_waking = False
        self._came.set()


async def _call_back(callback: Callback, listener: _Listener) -> None:
    async for frame in listener.frames():
        try:
            returned = callback(frame.text)
            if inspect.isawaitable(returned):
                await returned
        except Exception:
            _log.exception("a callback of a video failed")
