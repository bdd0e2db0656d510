"""Recordings on their way to text: piece by piece, in turns with each other and after who speaks
live. They come whole or in parts. It knows neither sessions nor how a model is loaded.
"""

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import Final

from services.audio import arriving, pieces, speakers
from services.audio.domain import Reached, Received, Segment, Transcript, Transcription, Wish
from services.audio.language import Language
from services.audio.live import Chunk, End
from services.audio.pieces import Piece
from services.audio.ports import Asked, Diarization, Heard, Stretch, Transcriber
from services.audio.signs import signs
from services.audio.turns import Turns
from services.chassis.clock import Clock
from services.chassis.errors import Exhausted
from services.media import audio
from services.media.spool import Shelf, Spool

RETRY_AFTER: Final = timedelta(seconds=10)
"""About one piece of speech on two cores; then a place may be free."""
SIGN_SECONDS: Final = 10.0
"""After so long without anything new, who waits for a recording is told how far it is once more."""
_TURN_SECONDS: Final = 0.5
"""After so long a recording lets others go first; a batch that has begun is longer."""
_PATIENCE_SECONDS: Final = 5.0
"""How long who speaks live goes before a recording that waits."""


class Recordings:
    """Puts recordings into words, `at_once` of them. `diarization` gives each an ear for voices, if
    there is one; `piece_seconds` tells how much of one may be heard in a turn now.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        turns: Turns[Stretch, Heard],
        *,
        diarization: Callable[[], Diarization | None],
        piece_seconds: Callable[[], float],
        at_once: int,
        spooled_bytes: int,
        idle_seconds: float,
        decode_seconds: float,
        clock: Clock,
    ) -> None:
        self._transcriber = transcriber
        self._turns = turns
        self._diarization = diarization
        self._piece_seconds = piece_seconds
        self._free_places = at_once
        self._shelf = Shelf(spooled_bytes)
        self._idle_seconds = idle_seconds
        self._decode_seconds = decode_seconds
        self._clock = clock

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for a block. Raises `Exhausted` when there is none."""
        if not self._free_places:
            raise Exhausted("too many recordings are being transcribed", retry_after=RETRY_AFTER)
        self._free_places -= 1
        try:
            yield
        finally:
            self._free_places += 1

    async def follow(
        self, recording: bytes | Spool, wish: Wish
    ) -> AsyncGenerator[Reached | Segment | Transcription, None]:
        """Put one into words, in a place; tell of it as `Audio.follow` does."""
        started, reached = self._clock.monotonic(), Reached(0.0)
        async with aclosing(signs(self._heard(recording, wish), SIGN_SECONDS)) as heard:
            async for each in heard:
                match each:
                    case None:
                        yield reached
                    case Transcript():
                        seconds = self._clock.monotonic() - started
                        yield Transcription(each, timedelta(seconds=seconds))
                    case Reached():
                        reached = each
                        yield reached
                    case Segment():
                        yield each

    async def follow_sent(
        self, messages: AsyncIterator[Chunk | End], wish: Wish, field: str
    ) -> AsyncGenerator[Received | Reached | Segment | Transcription, None]:
        """Do the same with one that is sent in pieces, of which errors call the bytes `field`."""
        async with self._shelf.spool(field) as spool:
            idle = self._idle_seconds
            async for size in arriving.kept(messages, spool, idle_seconds=idle):
                yield Received(size)
            async with aclosing(self.follow(spool, wish)) as told:
                async for each in told:
                    yield each

    async def _heard(
        self, recording: bytes | Spool, wish: Wish
    ) -> AsyncGenerator[Reached | Segment | Transcript, None]:
        diarization = self._diarization()
        try:
            async with aclosing(self._pieces(recording, wish, diarization)) as told:
                async for each in told:
                    if isinstance(each, Transcript):
                        yield await speakers.told_apart(each, diarization)
                    else:
                        yield each
        finally:
            if diarization:
                diarization.close()

    async def _pieces(
        self, recording: bytes | Spool, wish: Wish, diarization: Diarization | None
    ) -> AsyncGenerator[Reached | Segment | Transcript, None]:
        segments: list[Segment] = []
        seconds = 0.0
        spoken = Language(wish.language)
        if isinstance(recording, Spool):
            blocks = audio.decode_file(recording, decode_seconds=self._decode_seconds)
        else:
            blocks = audio.decode(recording, field="audio", decode_seconds=self._decode_seconds)
        async with aclosing(blocks):
            async for piece in pieces.cut(blocks, seconds=self._piece_seconds):
                if diarization:
                    diarization.feed(piece.samples)
                asked = Asked(spoken.kept, wish.hints)
                language, heard = await self._hear(piece, asked)
                spoken.hear(language, sum(it.end_seconds - it.start_seconds for it in heard))
                segments += heard
                seconds = piece.end_seconds
                for segment in heard:
                    yield segment
                lasts = recording.estimate(seconds) if isinstance(recording, Spool) else 0.0
                yield Reached(seconds, lasts)
                if diarization:
                    await diarization.room()
        yield Transcript(tuple(segments), spoken.likeliest, seconds)

    async def _hear(self, piece: Piece, asked: Asked) -> tuple[str, list[Segment]]:
        stopped, taken, heard = threading.Event(), list[Segment](), list[Heard]()

        def listen() -> bool:
            started = self._clock.monotonic()
            if not heard:
                heard.append(self._transcriber.transcribe(piece.samples, asked))
            for segment in heard[0].segments:
                if stopped.is_set():
                    break
                taken.append(pieces.placed(segment, piece, taken))
                if self._clock.monotonic() - started > _TURN_SECONDS:
                    return True
            return False

        try:
            while await self._turns.take(listen, since=self._clock.monotonic() + _PATIENCE_SECONDS):
                pass
        finally:
            stopped.set()
        return heard[0].language, taken
