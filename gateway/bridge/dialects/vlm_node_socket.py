"""The socket of vlm-node at `/api/v1/ws`: a text is the prompt from then on, a binary message is a
picture, and pictures are answered in batches, in the order of their batches.

Where vlm-node was silent this speaks: what cannot be answered is told in its place among the
answers. A picture that alone follows its prompt is not kept waiting for others.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects.vlm_node_batches import Batch, Pending
from gateway.bridge.exchange import Ask
from gateway.bridge.session import Action, Close, Code, Listen, Ping, Say, Session, Socket
from services.chassis import errors, limits
from services.chassis.clock import Clock, SystemClock

PATH: Final = "/api/v1/ws"
FIRST_TICK_SECONDS: Final = 30.0
TICK_SECONDS: Final = 10.0
ALONE_SECONDS: Final = 0.3
"""A picture that came right after its prompt is answered when nothing follows it for so long: such
a client sends both for every photo, and another photo may not come for minutes.
"""
WAITING: Final = 4
"""How many batches wait while one is answered."""
REFUSED: Final = 1_000
"""How many dropped batches are remembered, each of which will be told."""
DROPPED: Final = errors.Exhausted(
    "newer pictures came before these could be looked at", remedy="send fewer at once"
)
_PICTURE: Final = re.compile(r"\bmessages\[0\]\.parts\[(\d+)\](?:\.image)?(?:\.data)?")
_ABOUT: Final = (
    "vlm-node: a text message is the prompt from then on; a binary message is a picture. Pictures"
    " are answered a few at a time, in their order: each piece is a binary message that holds one"
    " JSON object (`model`, `created_at`, `response`, `done`), the last of an answer with `done`"
    " and its cost, or with `error`: what is wrong and what to do. After ten seconds of silence"
    " those that wait are answered, however few."
)
_QUERY: Final = {"num_predict": "how many tokens an answer has at most; left out, 0: no limit"}
NO_PROMPT: Final = "No prompt received for image batch"


class VlmNodeSession(Session):
    """One client of vlm-node's socket."""

    def __init__(self, batch: int, max_tokens: int, clock: Clock) -> None:
        self._size = batch
        self._max_tokens = max_tokens
        self._clock = clock
        self._prompt = ""
        self._pending = Pending()
        self._waiting: deque[Batch | errors.MeshError] = deque()
        self._answering: Batch | None = None
        self._is_naming = False
        self._model = ""
        self._patience = FIRST_TICK_SECONDS
        self._after_prompt = False

    @property
    def held(self) -> int:
        """What the pictures take that are not at the engine yet."""
        waiting = (it.held for it in self._waiting if isinstance(it, Batch))
        return self._pending.held + sum(waiting)

    def shed(self) -> Iterator[Action]:
        """Drop the batches that wait; that is told in their place."""
        for i, batch in enumerate(self._waiting):
            if isinstance(batch, Batch):
                self._waiting[i] = DROPPED
        yield from ()

    @property
    def patience(self) -> float | None:
        """Half a minute at first, then ten seconds after the last message."""
        return self._patience

    def text(self, text: str) -> Iterator[Action]:
        """Keep the prompt; pictures that waited are answered by it."""
        self._prompt = text
        self._after_prompt = not self._pending.pictures
        self._patience = TICK_SECONDS
        yield from self._flush()

    def binary(self, data: bytes) -> Iterator[Action]:
        """Keep the picture until its batch is whole."""
        if self._prompt and not self._pending.fits(data):
            yield from self._flush()
        self._pending.add(data)
        self._patience = ALONE_SECONDS if self._after_prompt else TICK_SECONDS
        self._after_prompt = False
        if len(self._pending.pictures) < self._size:
            return
        if self._prompt:
            yield from self._flush()
        else:
            yield Say(NO_PROMPT, instead=NO_PROMPT)

    def ticked(self) -> Iterator[Action]:
        """Answer what waits, and see whether the client is still there."""
        if self._patience != ALONE_SECONDS:
            yield Ping(b"ping")
        self._patience = TICK_SECONDS
        yield from self._flush()

    def told(self, answer: Any) -> Iterator[Action]:
        """Pass a piece of the answer on."""
        if isinstance(answer, pb.GetModelResponse):
            self._model = answer.model.name
            return
        self._model = answer.model or self._model
        if answer.delta:
            yield self._piece({"response": answer.delta, "done": False})
        if answer.HasField("usage"):
            yield self._piece({"response": "", "done": True, **_statistics(answer)})
            self._answering = None

    def ended(self, error: Exception | None) -> Iterator[Action]:
        """Tell why an answer has not come to its end, and begin the next."""
        if self._is_naming and self._answering:
            # Without the model's name an answer is as good.
            yield self._question(self._answering)
            return
        if self._answering:
            self._answering = None
            yield self._refusal(error or errors.Unavailable("the answer broke off"))
        yield from self._next()

    def _flush(self) -> Iterator[Action]:
        if not self._prompt or not self._pending.pictures:
            return
        self._waiting.append(Batch(self._prompt, self._pending.take()))
        self._drop_old()
        if len(self._waiting) > REFUSED:
            yield Close(Code.TRY_AGAIN_LATER, "too many pictures wait; send fewer at once")
        if self._answering is None:
            yield from self._next()

    def _drop_old(self) -> None:
        room, held = WAITING, limits.BODY_BYTES
        for i in reversed(range(len(self._waiting))):
            batch = self._waiting[i]
            if isinstance(batch, Batch):
                room, held = room - 1, held - batch.held
                if room < 0 or held < 0:
                    self._waiting[i] = DROPPED

    def _next(self) -> Iterator[Action]:
        while self._waiting:
            batch = self._waiting.popleft()
            if isinstance(batch, errors.MeshError):
                yield self._refusal(batch)
                continue
            self._answering, self._is_naming = batch, not self._model
            yield (
                Ask("VisionService", "GetModel", pb.GetModelRequest())
                if self._is_naming
                else self._question(batch)
            )
            return

    def _question(self, batch: Batch) -> Listen:
        self._is_naming = False
        parts = [chat_pb2.Part(image=image_pb2.Image(data=it)) for it in batch.pictures]
        parts.append(chat_pb2.Part(text=batch.prompt))
        asked = pb.GenerateStreamRequest(
            messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)],
            sampling=chat_pb2.Sampling(max_tokens=self._max_tokens),
        )
        return Listen("VisionService", "GenerateStream", asked)

    def _refusal(self, error: Exception) -> Say:
        told = _PICTURE.sub(r"pictures[\1]", str(error))
        return self._piece({"response": "", "done": True, "error": told})

    def _piece(self, fields: dict[str, Any]) -> Say:
        written = self._clock.now().isoformat().replace("+00:00", "Z")
        return Say(json.dumps({"model": self._model, "created_at": written, **fields}).encode())


def socket(*, batch: int, clock: Clock | None = None) -> Socket:
    """Serve vlm-node's clients, `batch` pictures to an answer."""
    time = clock or SystemClock()

    def begin(query: Mapping[str, str]) -> VlmNodeSession:
        return VlmNodeSession(batch, _tokens(query.get("num_predict", "")), time)

    return Socket(PATH, begin, _ABOUT, _QUERY)


def _tokens(text: str) -> int:
    try:
        # What is below one stands for no limit of the client's.
        return min(max(int(text or 0), 0), limits.ANSWER_TOKENS)
    except ValueError:
        raise errors.InvalidInput.field(
            "num_predict", "is no whole number", remedy="send how many tokens to write at most"
        ) from None


def _statistics(answer: pb.GenerateStreamResponse) -> dict[str, Any]:
    usage = answer.usage
    took = usage.processing_time.ToTimedelta() // timedelta(microseconds=1) * 1_000
    cut = answer.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    return {
        "done_reason": "length" if cut else "stop",
        "total_duration": took,
        "load_duration": 0,
        "prompt_eval_count": usage.input_tokens,
        "prompt_eval_duration": 0,
        "eval_count": usage.output_tokens,
        "eval_duration": took,
    }
