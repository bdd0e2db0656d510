"""One live session: bytes come in over streams that may break off, text goes out to who follows. It
lives on between streams, and works on what it has. It knows neither the wire nor an engine. It is
long because its streams and its own life meet in one state, which has to be read as a whole.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.audio import speakers
from services.audio.domain import Transcript
from services.audio.hearing import Hearing, Window
from services.audio.live import (
    Acknowledged,
    Chunk,
    Opening,
    Partial,
    SegmentHeard,
    Told,
    Whole,
)
from services.audio.ports import Diarization, Heard, Stretch, Transcriber, Voice
from services.audio.turns import Turns
from services.chassis import limits
from services.chassis.clock import Clock
from services.chassis.errors import (
    Internal,
    InvalidInput,
    MeshError,
    Precondition,
    Unavailable,
)
from services.media import speech
from services.media.audio import SAMPLE_RATE_HZ, Samples
from services.media.refused import Refused

_log = logging.getLogger(__name__)

UNHEARD_SECONDS: Final = 30.0
"""The audio that may wait for the model; then no more is read, and the sender has to wait."""
_BATCH_SECONDS: Final = 0.1
"""The audio that is looked at together: each look costs a change of threads."""
_STALL_SECONDS: Final = 1.0
"""So long without new audio, and what there is is heard."""


class Pulse:
    """Wakes everybody who waits for something to have changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Wake them."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next beat. Look at what may have changed first, without waiting between."""
        await self._event.wait()


@dataclass
class Stream:
    """One stream's hold on a session."""

    failure: MeshError | None = None
    """Why it cannot go on, although its session may."""


class Session:
    """A session. `run` is its life; `accept`, `end` and `follow` are for its streams."""

    def __init__(
        self,
        opening: Opening,
        tenant: str,
        *,
        transcriber: Transcriber,
        diarization: Diarization | None = None,
        turns: Turns[Stretch, Heard],
        clock: Clock,
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.token = secrets.token_urlsafe(24)
        self.tenant = tenant
        self.opening = opening
        self.received = 0
        """The bytes that are held."""
        self.failure: MeshError | None = None
        self.final: Transcript | None = None
        self._transcriber = transcriber
        self._diarization = diarization
        self._turns = turns
        self._clock = clock
        self._hearing = Hearing(opening.wish)
        self._inbox: list[Samples] = []
        self._stalled = False
        """Whether no audio has come for a while."""
        self._last_turn = clock.monotonic()
        self._ear: speech.Ear | None = None
        self._ending: asyncio.Task[None] | None = None
        self._complete = False
        self._arrived = Pulse()
        self._judged = asyncio.Event()
        self._heard = Pulse()

    @property
    def is_over(self) -> bool:
        """Whether it takes no more audio and does nothing more."""
        return self.final is not None or self.failure is not None

    async def run(self) -> None:
        """Live until the final transcript or a failure; both are for followers."""
        try:
            encoding, rate = self.opening.encoding, self.opening.sample_rate_hz
            async with speech.opened(encoding, rate, self._take, self._room) as ear:
                self._ear = ear
                self._heard.beat()
                await self._hear()
        except MeshError as failed:
            self.failure = failed
        except Exception:
            _log.exception("a live session failed")
            remedy = "take it up in a new session; the cause is in the audio room's log"
            self.failure = Internal("the session failed inside the audio room", remedy=remedy)
        finally:
            if self._ending:
                self._ending.cancel()
            if self._diarization:
                self._diarization.close()
            self._ear = None
            self._heard.beat()
            self._arrived.beat()

    async def accept(self, chunk: Chunk) -> None:
        """Take a chunk as soon as there is room, but for what is held already. When cancelled, it
        is taken as a whole or not at all. Raises `InvalidInput`, `Precondition`.
        """
        ear = await self._ready()
        if self._ending:
            raise Precondition(
                "the session has ended and takes no more audio", remedy="open a new session"
            )
        offset = self.received if chunk.offset is None else chunk.offset
        if offset > self.received:
            raise Precondition(
                f"audio is missing: {self.received} bytes are held, and the chunk begins at "
                f"{offset}",
                remedy="send from the offset that was acknowledged last",
                code="AUDIO_MISSING_BETWEEN",
            )
        if new := chunk.data[self.received - offset :]:
            try:
                ear.feed(new)
            except Refused as refused:
                raise self._fail(refused) from None
            self.received += len(new)
            self._arrived.beat()

    async def end(self) -> None:
        """Take no more: what was sent is complete. May be called again."""
        if self.is_over:
            return
        if self._ending is None:
            self._ending = asyncio.create_task(self._finish())
        await asyncio.shield(self._ending)

    def give_up(self) -> None:
        """Tell who follows that nothing will come any more. Its life is the caller's to end."""
        self.failure = Unavailable("the session was given up", remedy="open a new session")
        self._heard.beat()
        self._arrived.beat()

    def fail_stream(self, stream: Stream, error: MeshError) -> None:
        """End one stream that follows; the session lives on."""
        stream.failure = stream.failure or error
        self._heard.beat()

    async def follow(self, segments: int, stream: Stream) -> AsyncGenerator[Told, None]:
        """Tell what is heard, after so many segments that are known already, up to the end. Raises
        what the session or the stream failed of.

        Who reads slowly is told less often, never less.
        """
        acknowledged, partial = 0, Partial((), ())
        hearing = self._hearing
        voicings = sum(it.segments < segments for it in hearing.voicings)
        while True:
            if stream.failure:
                raise stream.failure
            if hearing.has_voicing(voicings, segments):
                yield hearing.voicings[voicings]
                voicings += 1
            elif segments < len(hearing.segments):
                yield SegmentHeard(hearing.segments[segments])
                segments += 1
            elif self.failure:
                raise self.failure
            elif acknowledged < self.received:
                acknowledged = self.received
                yield Acknowledged(acknowledged)
            elif partial != (newest := self._partial()):
                partial = newest
                yield partial
            elif self.final:
                yield Whole(self.final)
                return
            else:
                await self._heard.wait()

    def _partial(self) -> Partial:
        hearing = self._hearing
        return Partial(tuple(hearing.committed), tuple(hearing.tentative))

    async def _ready(self) -> speech.Ear:
        while True:
            if self.failure:
                raise self.failure
            if self.final:
                raise Precondition(
                    "the session has ended and takes no more audio", remedy="open a new session"
                )
            if (ear := self._ear) is None:
                await self._heard.wait()
                continue
            try:
                await ear.ready()
            except Refused as refused:
                raise self._fail(refused) from None
            if ear is self._ear:
                return ear

    async def _finish(self) -> None:
        ear = await self._ready()
        try:
            await ear.finish()
        except Refused as refused:
            self._fail(refused)
        self._complete = True
        self._arrived.beat()

    def _fail(self, refused: Refused) -> InvalidInput:
        failure = refused.invalid("chunk")
        self.failure = failure
        self._heard.beat()
        self._arrived.beat()
        return failure

    def _take(self, samples: Samples) -> None:
        if len(samples):
            self._inbox.append(samples)
            self._arrived.beat()

    async def _room(self) -> None:
        while self._waiting_seconds > UNHEARD_SECONDS and not self.is_over:
            await self._heard.wait()

    @property
    def _waiting_seconds(self) -> float:
        return self._inbox_seconds + self._hearing.waiting_seconds

    @property
    def _inbox_seconds(self) -> float:
        return sum(map(len, self._inbox)) / SAMPLE_RATE_HZ

    async def _hear(self) -> None:
        voice = await asyncio.to_thread(self._transcriber.voice)
        judging = asyncio.create_task(self._judge(voice))
        try:
            while not self.failure:
                self._stalled = not await self._has_fresh(judging)
                if self._window():
                    await self._pass()
                elif self._hearing.is_ended:
                    transcript = self._hearing.transcript
                    self.final = await speakers.told_apart(transcript, self._diarization)
                    return
                self._heard.beat()
        finally:
            judging.cancel()
            await asyncio.gather(judging, return_exceptions=True)

    async def _has_fresh(self, judging: asyncio.Task[None]) -> bool:
        """Wait for audio that was judged, but not for long. Raises what judging failed of."""
        if not judging.done() and not self._hearing.is_behind:
            try:
                async with asyncio.timeout(_STALL_SECONDS):
                    await self._judged.wait()
            except TimeoutError:
                return False
        self._judged.clear()
        if judging.done():
            judging.result()
        return True

    async def _judge(self, voice: Voice) -> None:
        """Tell voices from silence in what arrives, while passes wait and work too."""
        try:
            while not self.failure:
                if not self._is_due:
                    await self._arrival()
                if self._inbox:
                    await self._judge_inbox(voice)
                elif self._complete:
                    self._hearing.end()
                    return
        finally:
            self._judged.set()

    @property
    def _is_due(self) -> bool:
        return bool(self._complete or self.failure) or self._inbox_seconds >= _BATCH_SECONDS

    async def _arrival(self) -> None:
        # What little there is waits for more, but not for ever.
        seconds = _STALL_SECONDS / 2 if self._inbox else None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()

    async def _judge_inbox(self, voice: Voice) -> None:
        count, samples = len(self._inbox), np.concatenate(self._inbox)
        if self._diarization:
            self._diarization.feed(samples)
        judged = await asyncio.to_thread(voice.feed, samples)
        del self._inbox[:count]  # Until now it counts as waiting.
        self._hearing.feed(samples, judged)
        if self._hearing.seconds > limits.AUDIO_SECONDS:
            raise InvalidInput.field(
                "chunk",
                f"the session lasts longer than {limits.AUDIO_SECONDS} seconds",
                remedy="open a new session",
                code="AUDIO_TOO_LONG",
            )
        self._judged.set()
        self._heard.beat()

    async def _pass(self) -> None:
        window: Window | None = None

        def offer() -> Stretch | None:
            # What arrived while it waited for its turn is heard too: that saves a pass.
            nonlocal window
            window = self._window()
            return Stretch(window.samples, window.asked) if window else None

        heard = await self._turns.join(offer, since=self._last_turn)
        if heard and window:
            self._last_turn = self._clock.monotonic()
            words = [word for segment in heard.segments for word in segment.words]
            self._hearing.heard(window, heard.language, words)

    def _window(self) -> Window | None:
        return None if self.failure else self._hearing.window(stalled=self._stalled)
