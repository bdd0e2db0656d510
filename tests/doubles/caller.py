"""Somebody who speaks to a live session and may lose the line: keeps what was not acknowledged, and
goes on from there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from services.audio.core import Audio
from services.audio.domain import Segment, Transcript
from services.audio.live import (
    Acknowledged,
    Chunk,
    End,
    Opening,
    Partial,
    Ready,
    Resumption,
    SegmentHeard,
    Told,
    Whole,
)


class Caller:
    def __init__(self, core: Audio, data: bytes, *, chunk: int = 3_200, tenant: str = "t") -> None:
        self.core = core
        self.data = data
        self.chunk = chunk
        self.tenant = tenant
        self.acknowledged = 0
        self.segments: list[Segment] = []
        self.partials: list[Partial] = []
        self.final: Transcript | None = None
        self.ready: Ready | None = None
        self.sent = 0
        self.silent_after: int | None = None
        """After so many bytes it says nothing more."""

    async def speak(self, *, cut_after: int | None = None, opening: Opening = Opening()) -> None:  # noqa: B008 - frozen
        """Speak over one line, which breaks after so many answers."""
        asked: Opening | Resumption = opening
        if self.ready:
            asked = Resumption(
                self.ready.session_id, self.ready.token, self.acknowledged, len(self.segments)
            )
        offset: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        count = 0
        async with aclosing(self.stream(asked, offset)) as answers:
            async for told in answers:
                if isinstance(told, Ready):
                    assert self.acknowledged <= told.offset <= len(self.data)
                    self.ready = told
                    offset.set_result(told.offset)
                self.note(told)
                count += 1
                if count == cut_after:
                    return

    def stream(
        self, asked: Opening | Resumption, offset: "asyncio.Future[int]"
    ) -> AsyncGenerator[Told, None]:
        return self.core.listen(asked, self.tenant, self._messages(offset))

    def note(self, told: Told) -> None:
        match told:
            case Acknowledged():
                assert told.offset > self.acknowledged or told.offset == self.acknowledged
                self.acknowledged = told.offset
            case SegmentHeard():
                self.segments.append(told.segment)
            case Partial():
                self.partials.append(told)
            case Whole():
                self.final = told.transcript
            case Ready():
                pass

    async def _messages(self, offset: "asyncio.Future[int]") -> AsyncIterator[Chunk | End]:
        at = await offset
        while at < len(self.data):
            if self.silent_after is not None and at >= self.silent_after:
                await asyncio.Event().wait()
            piece = self.data[at : at + self.chunk]
            yield Chunk(piece, at)
            at += len(piece)
            self.sent = at
            await asyncio.sleep(0)
        yield End()
