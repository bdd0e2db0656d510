"""The audio socket of the Local Models API at `/ws/audio`: settings and audio in; out what is heard
while it is heard, and at the end what it comes to. Sessions follow one another, one at a time.

Its clients speak three ways: some begin at once, and the first that they read is an answer; some
wait for `ready`; some send their JSON as bytes. A client that wants to can take its session up
again at another socket; any other one that leaves has said `end_of_stream`. It is long because all
three meet in the state of one session.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gateway.bridge.dialects import local_models_answers as answers
from gateway.bridge.dialects.local_models_messages import (
    REMEDY,
    Audio,
    End,
    Message,
    Opening,
    SettingsRefused,
    of_binary,
    of_config,
    of_text,
)
from gateway.bridge.dialects.local_models_talk import Talk
from gateway.bridge.session import Action, Leave, Session, Socket
from services.chassis import errors, limits
from services.chassis.clock import Clock, SystemClock

PATH: Final = "/ws/audio"
READY_SECONDS: Final = 1.0
"""A client that has said nothing for so long waits to be told that it may."""
SILENT_SECONDS: Final = 300.0
"""A client that has said nothing for so long in a session has ended it."""
EARLY_BYTES: Final = 5 * limits.MEBIBYTE
"""The audio that waits for its settings; the original's bound."""
WAITING_BYTES: Final = 50 * limits.MEBIBYTE
"""The audio that waits for the room before no more is read, nor a ping answered: what the original
took of a session, so that its clients may send a recording of 26 minutes at once.
"""
MESSAGE_COST: Final = 256
"""What a message costs beside its audio."""
ABOUT: Final = """
Sessions of speech of the Local Models API, one after another. The client sends JSON, as text or as
bytes: config (session_id, sample_rate, encoding, language, hints, resumable, resume_token,
progress), audio_chunk (data_b64), end_of_stream; or audio as it is, in binary messages. It is told
ready, if it says nothing for a second; partial_result (text, tentative) while it is heard; progress
(asked, answered), if its config wants it, while it is analysed; final_result (text, analysis) at
the end; warning and error (message, code). A resumable client is told session (session_id,
resume_token, next_offset, kept_seconds) and acknowledged (offset). Who leaves has ended the
session, unless it is resumable: /sessions/{session_id} tells what it came to.
"""
TOO_EARLY: Final = "too much audio came before its config; what does not fit is left out"
NOTHING_SENT: Final = errors.Precondition("there is no session to end", remedy=REMEDY)


class LocalModelsSession(Session):
    """One client of the audio socket."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_crowded = False
        self._opening: Opening | None = None
        self._refusal: errors.MeshError = NOTHING_SENT
        self._talk: Talk | None = None
        self._early = bytearray()
        self._later = deque[Message]()
        self._later_cost = 0
        self._heard = ""
        self._last_message = clock.monotonic()
        self._is_greeted = False
        self._is_left = False

    @property
    def patience(self) -> float | None:
        """A second at first, for a client that waits to be greeted."""
        return None if self._is_greeted else READY_SECONDS

    @property
    def held(self) -> int:
        """The audio that waits, for its settings, for the room or for the session before."""
        held = len(self._talk.backlog) if self._talk else 0
        return held + len(self._early) + self._later_cost

    @property
    def is_full(self) -> bool:
        """While more waits for the room than may."""
        return self._talk is not None and self.held > (0 if self._is_crowded else WAITING_BYTES)

    def text(self, text: str) -> Iterator[Action]:
        """Take a text message, which is JSON."""
        yield from self._take(of_text, text)

    def binary(self, data: bytes) -> Iterator[Action]:
        """Take a binary message, which is audio, or JSON as bytes."""
        yield from self._take(of_binary, data)

    def ticked(self) -> Iterator[Action]:
        """Greet a client that waits."""
        self._is_greeted = True
        yield answers.ready()

    def told(self, answer: Any) -> Iterator[Action]:
        """Pass on what is heard."""
        self._is_crowded, talk = False, self._talk
        if talk is None:
            return
        match answer.WhichOneof("message"):
            case "ready":
                if talk.is_resumable and not talk.was_ready:
                    yield answers.session(answer.ready)
                yield from talk.ready(answer.ready)
            case "acknowledged":
                offset = answer.acknowledged.offset
                yield from talk.acknowledged(offset)
                if talk.is_resumable:
                    yield answers.acknowledged(offset)
            case "segment":
                talk.note_segment()
                self._heard = f"{self._heard} {answer.segment.text}"[-answers.TAIL :]
            case "partial_text":
                if said := answers.partial(talk.session_id, self._heard, answer.partial_text):
                    yield said
            case "progress":
                if talk.wants_progress:
                    yield answers.progress(talk.session_id, answer.progress)
            case "analysis":
                talk.is_over = True
                yield answers.final(talk.session_id, answer.analysis)
        if self._is_left and (answer.HasField("transcript") or talk.needs_nobody):
            yield from self._leave()

    def ended(self, error: Exception | None) -> Iterator[Action]:
        """Take the session up again, or tell why it is over."""
        self._is_crowded = False
        if (talk := self._talk) is not None and not talk.is_over:
            silence = self._clock.monotonic() - self._last_message
            if isinstance(error, errors.TimedOut) and silence >= SILENT_SECONDS:
                yield from talk.end()
            try:
                yield from talk.broke_off(error)
                return
            except errors.MeshError as lost:
                yield from self._refuse(lost)
        self._talk = None
        yield from self._go_on()

    def shed(self) -> Iterator[Action]:
        """Let go of audio without settings; of other audio, take no more for a while."""
        self._is_crowded = True
        if self._early:
            self._early.clear()
            yield answers.warning(TOO_EARLY)

    def left(self) -> Iterator[Action]:
        """Hand over what has come, and say that nothing follows, unless who left may come again."""
        self._is_left = True
        self._early.clear()
        yield from self._end_for_left()
        if self._talk is None or self._talk.needs_nobody:
            yield from self._leave()

    def _take(self, read: Callable[[Any], Message], sent: str | bytes) -> Iterator[Action]:
        self._is_greeted = True
        self._last_message = self._clock.monotonic()
        try:
            message = read(sent)
        except errors.InvalidInput as wrong:
            if isinstance(wrong, SettingsRefused) and self._talk is None:
                self._early.clear()
                yield from self._refuse(wrong)
            else:
                yield answers.warning(str(wrong))
            return
        if self._talk is not None and self._talk.is_ended:
            if self._later or message != End():
                self._later.append(message)
                self._later_cost += _cost(message)
        else:
            yield from self._do(message)

    def _do(self, message: Message) -> Iterator[Action]:
        match message:
            case Opening():
                if self._talk is None:
                    yield from self._open(message)
                elif message != self._opening:
                    told = (
                        "a session is under way: its settings stay as they are until it has ended"
                    )
                    yield answers.warning(told)
            case Audio(data) if data:
                yield from self._add(data)
            case End():
                yield from self._end()

    def _open(self, opening: Opening) -> Iterator[Action]:
        self._opening, self._refusal, self._heard = opening, NOTHING_SENT, ""
        self._talk = Talk(opening, self._clock)
        yield from self._talk.open()
        yield from self._talk.add(bytes(self._early))
        self._early.clear()

    def _add(self, data: bytes) -> Iterator[Action]:
        if self._talk is None and self._opening is not None:
            # One session follows another without new settings.
            yield from self._open(self._opening.again())
        if self._talk is not None:
            yield from self._talk.add(data)
        elif self._refusal is not NOTHING_SENT:
            return
        elif len(self._early) + len(data) <= EARLY_BYTES:
            self._early += data
        else:
            yield answers.warning(TOO_EARLY)

    def _end(self) -> Iterator[Action]:
        if self._talk is None and self._early:
            yield from self._open(of_config({}))
        if self._talk is not None:
            yield from self._talk.end()
        else:
            yield answers.error(self._refusal)

    def _refuse(self, error: errors.MeshError) -> Iterator[Action]:
        self._opening, self._refusal = None, error
        yield answers.error(error)
        if close := answers.close_after(error):
            self._later.clear()
            yield close

    def _go_on(self) -> Iterator[Action]:
        while self._later and not (self._talk and self._talk.is_ended):
            message = self._later.popleft()
            self._later_cost -= _cost(message)
            yield from self._do(message)
        yield from self._end_for_left()

    def _end_for_left(self) -> Iterator[Action]:
        if self._is_left and self._talk and not (self._talk.is_resumable or self._talk.is_ended):
            yield from self._talk.end()

    def _leave(self) -> Iterator[Action]:
        # The session needs no stream any more: it is analysed, and what it came to is kept.
        self._talk = None
        yield Leave()
        yield from self._go_on()


def socket(*, clock: Clock | None = None) -> Socket:
    """Serve the clients of the Local Models API."""
    time = clock or SystemClock()

    def begin(query: Mapping[str, str]) -> LocalModelsSession:
        return LocalModelsSession(time)

    return Socket(PATH, begin, about=ABOUT)


def _cost(message: Message) -> int:
    return MESSAGE_COST + (len(message.data) if isinstance(message, Audio) else 0)
