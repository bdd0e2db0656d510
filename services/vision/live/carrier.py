"""Carries one stream of frames: what comes goes to its state, what that wants done is done, and
what it says is handed over.

One task reads and never waits for anything else, so that old frames make room for new ones however
slow an engine or a watcher is. Frames for an answer are taken when its turn at the engine has come,
not when it is asked for: what has come meanwhile is seen. It knows neither the contract nor which
engine answers.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final

from services.chassis import call
from services.chassis.call import Priority
from services.chassis.clock import Clock
from services.chassis.errors import Internal, InvalidInput, MeshError
from services.engine.chat import Chat
from services.engine.domain import Answer, Delta, FinishReason, Picture
from services.media import image
from services.media.glance import glance
from services.vision import prompts
from services.vision.config import VisionConfig
from services.vision.live.domain import Frame, Piece, Reply, SentFrame, Settings, Shot
from services.vision.live.gauges import Gauges
from services.vision.live.notices import waits
from services.vision.live.outbox import Outbox
from services.vision.live.steps import Ask, Look, Over, Tell, Wait
from services.vision.live.stream import Stream
from services.vision.viewing import as_picture

Asked = Settings | SentFrame
"""What a watcher sends."""

PATIENCE_SECONDS: Final = 5.0
"""How long a turn at the engine may be waited for before the watcher is told."""

RENEW_SECONDS: Final = 0.1
"""How long an answer that has its turn waits for newer frames."""


class Carrier:
    """Carries one stream; used once."""

    def __init__(
        self, stream: Stream, chat: Chat, config: VisionConfig, clock: Clock, gauges: Gauges
    ) -> None:
        self._stream = stream
        self._chat = chat
        self._config = config
        self._clock = clock
        self._gauges = gauges
        self._outbox = Outbox()
        self._stirred = asyncio.Event()
        """Set by whatever comes."""

    async def replies(self, asked: AsyncIterator[Asked]) -> AsyncGenerator[Reply, None]:
        """Answer until the stream ends and all is told. Raises what reading raises."""
        now = call.current()
        # Whoever is patient may say so, as a job does.
        priority = Priority.LIVE if now.priority is Priority.INTERACTIVE else now.priority
        with call.use(replace(now, priority=priority)):
            tasks = [asyncio.create_task(self._told(it)) for it in (self._read(asked), self._run())]
        try:
            async for reply in self._outbox:
                yield reply
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self._outbox.close(error)

    async def _read(self, asked: AsyncIterator[Asked]) -> None:
        place = 0
        async for it in asked:
            if isinstance(it, Settings):
                self._stream.set(it)
            else:
                self._stream.add(self._frame(it, place), more=it.more)
                place += 1
            self._stirred.set()
        self._stream.end()
        self._stirred.set()

    def _frame(self, sent: SentFrame, place: int) -> Frame:
        received, today = self._clock.monotonic(), self._clock.now()
        captured = sent.captured or today
        lag = max(0.0, (today - captured).total_seconds())
        return Frame(sent.id or str(place), sent.data, captured, received, lag)

    async def _run(self) -> None:
        while True:
            await self._outbox.wanted()
            match self._stream.next(self._clock.monotonic()):
                case Look(frame):
                    await self._look(frame)
                case Ask():
                    await self._ask()
                case Tell(reply):
                    self._say(reply)
                case Wait(until):
                    await self._wait(until)
                case Over():
                    return self._outbox.close()

    def _say(self, reply: Reply) -> None:
        self._gauges.told(reply)
        self._outbox.put(reply)

    async def _wait(self, until: float | None) -> None:
        self._stirred.clear()
        seconds = None if until is None else max(0.0, until - self._clock.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    async def _look(self, frame: Frame) -> None:
        try:
            self._stream.looked(frame, frame.seen or await glance(frame.data, field="frame"))
        except InvalidInput as error:
            self._say(self._stream.refused(frame, error))

    async def _ask(self) -> None:
        shot = None
        patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._say, waits())
        try:
            # What waits is the window, which is bounded for itself and changes meanwhile.
            async with self._chat.turn(0):
                patience.cancel()
                await self._renew()
                shot = self._stream.begin(self._clock.monotonic())
                if shot is not None:
                    await self._answer(shot)
        except MeshError as error:
            if shot is None or not await self._blamed(shot, error):
                now = self._clock.monotonic()
                self._say(self._stream.failed(error, now, shot))
        finally:
            patience.cancel()

    async def _renew(self) -> None:
        wanted = self._stream.renew(self._clock.monotonic())
        if wanted is None:
            return
        self._say(wanted)
        with suppress(TimeoutError):
            async with asyncio.timeout(RENEW_SECONDS):
                while self._stream.is_renewing:
                    self._stirred.clear()
                    await self._stirred.wait()

    async def _answer(self, shot: Shot) -> None:
        pictures = await self._pictures(shot)
        if not any(it in shot.fit for it in shot.untold):
            return
        wish = shot.settings.wish
        messages = prompts.description(pictures, wish, follows=self._config.follows_instructions)
        written, delta = [], Delta("")
        async with aclosing(self._chat.stream(messages, wish.steady)) as deltas:
            async for delta in deltas:
                written.append(delta.text)
                if shot.settings.deltas and delta.text:
                    self._say(Piece(shot.number, shot.asked, delta.text))
        answer = _answer("".join(written), delta)
        self._say(self._stream.answered(shot, answer, self._clock.monotonic()))

    async def _pictures(self, shot: Shot) -> list[Picture]:
        """Make frames fit for the model; what is no picture is told and left out."""
        pictures = []
        for frame in shot.frames:
            try:
                made = await image.prepare(frame.data, max_pixels=self._pixels(shot), field="frame")
                if frame is shot.frames[-1] and shot.settings.threshold != 0 and not frame.seen:
                    frame.seen = await glance(frame.data, field="frame")
                pictures.append(as_picture(made))
            except InvalidInput as error:
                self._say(self._stream.refused(frame, error))
        return pictures

    def _pixels(self, shot: Shot) -> int:
        """Each frame's share of what one picture may have, but not less than a video's."""
        room = self._config
        share = room.image_pixels // len(shot.frames)
        return max(share, min(room.frame_pixels, room.image_pixels))

    async def _blamed(self, shot: Shot, error: MeshError) -> bool:
        """Whether the engine failed over frames that cannot be decoded: they are told then, and
        the others kept.
        """
        if not isinstance(error, InvalidInput | Internal):
            return False
        asked = shot.fit
        for frame in asked:
            try:
                await image.require_decodable(frame.data, field="frame")
            except InvalidInput as damaged:
                self._say(self._stream.refused(frame, damaged))
        if shot.fit == asked:
            return False
        self._stream.put_back(shot)
        return True


def _answer(text: str, last: Delta) -> Answer:
    return Answer(
        text,
        last.finish_reason or FinishReason.UNKNOWN,
        last.input_tokens,
        last.output_tokens,
        last.model,
    )
