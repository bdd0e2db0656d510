"""A `Listener` that hears a chunk as a segment, in this process. Its sessions outlive streams."""

import asyncio
from datetime import timedelta
from itertools import count

from services.chassis.errors import NotFound
from services.jobs.content import Segment, Transcript
from services.jobs.sessions.live import (
    Acknowledged,
    Chunk,
    Opening,
    Ready,
    SegmentHeard,
    Whole,
)

KEPT = timedelta(seconds=120)


class FakeListener:
    def __init__(self):
        self.sessions = {}
        """The bytes of each session, by its id."""
        self._numbers = count()
        self.deaf = False
        """Whether it only takes what is sent."""
        self.partial = None
        """Told instead of segments."""
        self.failing = []
        """Raised by the next streams, one each."""
        self.ended = []
        self.streams = 0

    async def listen(self, asked, messages):
        if self.failing:
            raise self.failing.pop(0)
        if isinstance(asked, Opening):
            hearing_id = f"h{next(self._numbers)}"
            self.sessions[hearing_id] = bytearray()
            segments = 0
        else:
            hearing_id, segments = asked.session_id, asked.segments
            if asked.token != f"token of {hearing_id}" or hearing_id not in self.sessions:
                raise NotFound("there is no such session to take up again")
        held = self.sessions[hearing_id]
        self.streams += 1
        try:
            yield Ready(hearing_id, f"token of {hearing_id}", len(held), KEPT)
            for segment in _heard(held)[segments:]:
                yield SegmentHeard(segment)
            async for message in messages:
                if not isinstance(message, Chunk):
                    self.ended.append(hearing_id)
                    yield Whole(_transcript(held))
                    return
                offset = len(held) if message.offset is None else message.offset
                held += message.data[len(held) - offset :]
                yield Acknowledged(len(held))
                if not self.deaf:
                    yield self.partial or SegmentHeard(_heard(held)[-1])
            await asyncio.Event().wait()
        finally:
            self.streams -= 1


def _heard(held):
    return [
        Segment(float(place), place + 1.0, f"{word}.", speaker="S1")
        for place, word in enumerate(held.decode().split())
    ]


def _transcript(held):
    segments = tuple(_heard(held))
    text = " ".join(it.text for it in segments)
    return Transcript(text, segments, "en", float(len(segments)))
