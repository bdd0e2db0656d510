"""OpenAI's realtime transcription at `/v1/realtime`, as it is since its general availability: audio
in as base64 in JSON, turns and their words out while they are spoken.

With `server_vad` a turn ends where somebody pauses, without it where the client commits. The audio
up to a commit is one call of the audio room; what is sent meanwhile waits for the next. It is long
because what comes from the client and what comes from the room meet in the state of one turn.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from mesh.audio.v1 import audio_service_pb2 as pb

from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects import openai_models as models
from gateway.bridge.dialects import openai_realtime_sent as sent
from gateway.bridge.dialects.openai_realtime_call import END, Call, Waiting
from gateway.bridge.dialects.openai_realtime_item import Event, Item
from gateway.bridge.dialects.openai_realtime_shapes import Settings, Update
from gateway.bridge.exchange import Ask
from gateway.bridge.session import Action, Close, Code, Converse, Feed, Leave, Say, Session, Socket
from services.chassis import errors, limits

PATH: Final = "/v1/realtime"
WAITING_BYTES: Final = limits.MEBIBYTE
"""The audio that may wait for the room before no more is read: over twenty seconds of it."""
LEAST_SECONDS: Final = 0.1
"""The least audio of a turn that a client commits, as OpenAI has it."""
LOST: Final = errors.Unavailable("audio of the turn was lost", remedy="append it again")
_MODELS: Final = (models.DEFAULT, *models.ALIASES[models.AUDIO])


class RealtimeSession(Session):
    """One client's socket. `name` makes names that nothing else has."""

    def __init__(self, wished: str, name: Callable[[], str]) -> None:
        self._wished = wished
        self._name = name
        self._id = f"sess_{name()}"
        self._settings: Settings | None = None
        """As the client knows them. None: the room was not heard of yet."""
        self._waiting = Waiting()
        self._holding: Settings
        """Those of the next call."""
        self._buffered = self._unheard = 0
        """The bytes since the last turn; those that wait here or on their way to the room."""
        self._call: Call | None = None
        self._heard_ms = self._skipped_ms = 0.0
        """Where in the session's audio the last call came to; what was taken back since."""
        self._item: Item | None = None
        self._previous: str | None = None

    @property
    def patience(self) -> None:
        """A client may be silent."""

    @property
    def is_full(self) -> bool:
        """Until the model is known, and while too much audio waits."""
        return self._settings is None or self._unheard > WAITING_BYTES

    @property
    def held(self) -> int:
        """The audio that waits."""
        return self._unheard

    def opened(self) -> Iterator[Action]:
        """Ask which model hears."""
        yield Ask(models.AUDIO, "GetModel", pb.GetModelRequest())

    def text(self, text: str) -> Iterator[Action]:
        """Take an event."""
        try:
            yield from self._take(sent.read(text))
        except errors.MeshError as error:
            yield self._error(error, sent.name_of(text))

    def binary(self, data: bytes) -> Iterator[Action]:
        """Refuse: events are text."""
        yield self._error(errors.InvalidInput("events are JSON in text messages"))

    def told(self, answer: Any) -> Iterator[Action]:
        """Tell the client of what the room tells."""
        if isinstance(answer, pb.GetModelResponse):
            yield from self._begin(answer.model.name)
        elif call := self._call:
            yield from self._hear(call, answer)

    def ended(self, error: Exception | None) -> Iterator[Action]:
        """Go on with what was sent meanwhile; without a room, leave."""
        call = self._call
        if call and self._item and isinstance(error, errors.TimedOut) and call.outlasts_silence():
            yield call.opening()
            return
        call = self._leave()
        if isinstance(error, errors.MeshError):
            yield from self._fail(call, error)
        yield from self._flow()

    def ticked(self) -> Iterator[Action]:
        """Nothing: a client may be silent."""
        return iter(())

    def _begin(self, model: str) -> Iterator[Action]:
        if self._wished not in ("", model, *_MODELS):
            yield self._error(models.missing(self._wished))
            yield Close(Code.POLICY, "there is no such model")
            return
        self._settings = self._holding = Settings(model)
        yield self._say({"type": "session.created", "session": self._settings.told(self._id)})

    def _take(self, event: sent.Sent) -> Iterator[Action]:
        assert self._settings  # noqa: S101 - nothing is read before
        match event:
            case sent.Append():
                self._append(sent.decoded(event.audio))
            case sent.Commit():
                self._commit(self._settings)
            case sent.Clear():
                yield from self._clear(self._settings)
            case Update():
                self._settings = self._updated(self._settings, event)
                told = self._settings.told(self._id)
                yield self._say({"type": "session.updated", "session": told})
        yield from self._flow()

    def _append(self, data: bytes) -> None:
        self._buffered += len(data)
        self._unheard += len(data)
        self._waiting.put_audio(data)

    def _commit(self, settings: Settings) -> None:
        if self._buffered < LEAST_SECONDS * settings.bytes_per_second:
            raise errors.InvalidInput(
                "the buffer is too small to be committed",
                remedy=f"append at least {LEAST_SECONDS * 1_000:.0f} ms of audio before",
                code="INPUT_AUDIO_BUFFER_COMMIT_EMPTY",
            )
        self._buffered = 0
        self._waiting.put(END)

    def _clear(self, settings: Settings) -> Iterator[Action]:
        self._buffered = 0
        dropped = self._waiting.drop_audio()
        self._unheard -= dropped
        self._skipped_ms += dropped * 1_000 / settings.bytes_per_second
        if self._call and not self._call.is_ending and not self._waiting.first:
            self._leave()
            self._item = None
            yield Leave()
        yield self._say({"type": "input_audio_buffer.cleared"})

    def _updated(self, settings: Settings, event: Update) -> Settings:
        heard = event.session.audio.input.transcription
        if heard and heard.model not in (None, settings.model, *_MODELS):
            raise models.missing(str(heard.model))
        changed = settings.updated(event.session)
        if changed == settings:
            return settings
        if self._buffered and not settings.finds_turns:
            raise errors.Precondition(
                "what was appended is heard by the settings before",
                remedy="commit it or clear it, and change them then",
            )
        self._waiting.put(changed)
        return changed

    def _flow(self) -> Iterator[Action]:
        """Send on what waits, as far as the call under way takes it."""
        while head := self._waiting.first:
            call = self._call
            if call is None and isinstance(head, Settings):
                self._holding = head
                self._waiting.pop()
            elif call is None:
                yield self._open()
            elif call.is_ending or not call.is_ready:
                return
            elif isinstance(head, Settings):
                call.is_ending = True
                yield Feed(END)
            else:
                yield from self._feed(call, head)

    def _open(self) -> Converse:
        call = self._call = Call(self._holding, self._heard_ms + self._skipped_ms)
        self._skipped_ms = 0.0
        if not call.settings.finds_turns:
            self._new_item(call.begin_ms)
        return call.opening()

    def _feed(self, call: Call, request: pb.TranscribeRequest) -> Iterator[Action]:
        self._waiting.pop()
        call.sent, call.silences = call.sent + len(request.chunk), 0
        if request is END:
            call.is_ending = True
            yield from self._end_turn(self._item or self._new_item(call.begin_ms))
        yield Feed(request)

    def _hear(self, call: Call, answer: pb.TranscribeResponse) -> Iterator[Action]:
        match answer.WhichOneof("message"):
            case "ready":
                if not call.is_taken_up(answer.ready):
                    yield Leave()
                    yield from self._fail(self._leave(), LOST)
                yield from self._flow()
            case "acknowledged":
                self._unheard -= answer.acknowledged.offset - call.taken
                call.taken = answer.acknowledged.offset
            case "voice_activity":
                yield from self._voice(call, answer.voice_activity)
            case "segment" | "partial_text" if self._item:
                call.segments += answer.HasField("segment")
                yield from self._say_all(self._item.heard(answer, call.begin_ms))
            case "final" if self._item:
                yield from self._complete(self._item, call.end_ms)

    def _voice(self, call: Call, voice: pb.VoiceActivity) -> Iterator[Action]:
        at = call.begin_ms + voice.offset.ToMilliseconds()
        item = self._item or self._new_item(at)
        if voice.speaking:
            if not item.is_committed:
                yield self._say(item.begun())
            return
        if not item.is_committed:
            yield self._say(item.stopped(at))
            yield from self._end_turn(item)
            # What comes after a commit is of the next turn already.
            self._buffered = self._buffered if call.is_ending else 0
        yield from self._complete(item, at)

    def _end_turn(self, item: Item) -> Iterator[Action]:
        if not item.is_committed:
            self._previous = item.name
            yield from self._say_all(item.committed())

    def _complete(self, item: Item, end_ms: float) -> Iterator[Action]:
        self._item = None
        yield self._say(item.completed(end_ms))

    def _fail(self, call: Call | None, error: errors.MeshError) -> Iterator[Action]:
        item, self._item = self._item, None
        if call is None or not call.was_ready:
            # Whatever comes would fare no better.
            self._waiting.clear()
            yield self._error(error)
            if isinstance(error, errors.InvalidInput):
                yield Close(Code.POLICY, str(error))
            else:
                yield Close(Code.TRY_AGAIN_LATER, "speech cannot be heard now; try again later")
        elif item:
            if not item.is_committed:
                # What was sent is gone, and what waits is of the next turn.
                self._buffered = max(0, self._buffered - call.sent)
            yield self._say(item.failed(error))
        elif not isinstance(error, errors.TimedOut):
            # A client that was silent for long has lost nothing, and goes on when it likes.
            yield self._error(error)

    def _leave(self) -> Call | None:
        call, self._call = self._call, None
        if call:
            self._unheard -= call.sent - call.taken
            self._heard_ms = call.end_ms
        return call

    def _new_item(self, begin_ms: float) -> Item:
        self._item = Item(f"item_{self._name()}", self._previous, begin_ms=begin_ms)
        return self._item

    def _say_all(self, events: Iterable[Event]) -> Iterator[Action]:
        yield from map(self._say, events)

    def _error(self, error: errors.MeshError, event_id: str | None = None) -> Say:
        told = wrong.trouble(error, audio="audio").model_dump() | {"event_id": event_id}
        return self._say({"type": "error", "error": told})

    def _say(self, event: Event) -> Say:
        return Say(json.dumps({"event_id": f"event_{self._name()}", **event}))


def socket() -> Socket:
    """Serve OpenAI's clients, who say in the query that they want transcription, or nothing."""

    def begin(query: Mapping[str, str]) -> RealtimeSession:
        if query.get("intent", "transcription") != "transcription":
            raise errors.InvalidInput("only intent=transcription is served here")
        return RealtimeSession(query.get("model", ""), lambda: secrets.token_hex(10))

    return Socket(PATH, begin, protocols=("realtime",))
