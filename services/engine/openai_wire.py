"""The OpenAI chat protocol as JSON: requests are written, answers are read and not believed.

No I/O happens here.
"""

import math
from collections.abc import Sequence
from typing import Any

import pybase64
from pydantic import BaseModel, Field
from pydantic_core import to_json

from services.engine.domain import (
    Answer,
    Clip,
    Delta,
    FinishReason,
    Message,
    ModelInfo,
    Part,
    Picture,
    Sampling,
    Text,
)
from services.engine.errors import not_the_protocol, stream_failure
from services.engine.ports import JsonSchema
from services.engine.reading import Count, finish_reason, read


class _Said(BaseModel):
    content: str | None = None


class _Alternative(BaseModel):
    token: str
    logprob: float


class _Token(BaseModel):
    top_logprobs: list[_Alternative] = []


class _Likelihoods(BaseModel):
    content: list[_Token] | None = None


class _Choice(BaseModel):
    # Not an empty one each: reading would copy it, which takes as long as all else.
    message: _Said | None = None
    delta: _Said | None = None
    logprobs: _Likelihoods | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _Completion(BaseModel):
    model: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _LlamaMeta(BaseModel):
    n_ctx: Count = 0


class Listed(BaseModel):
    """A model in an engine's list."""

    id: str = Field(min_length=1)
    owned_by: str = ""
    """By which some engines tell who they are."""
    max_model_len: Count | None = None
    """What vLLM says."""
    meta: _LlamaMeta | None = None
    """What llama.cpp says."""


class _Models(BaseModel):
    data: list[Listed] = Field(min_length=1)


def write_request(
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    *,
    json_schema: JsonSchema | None,
    streamed: bool,
) -> bytes:
    """Write the body of a chat completion."""
    body: dict[str, Any] = {"model": model, "max_tokens": sampling.max_tokens}
    chosen = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "logprobs": True if sampling.likeliest else None,
        "top_logprobs": sampling.likeliest or None,
    }
    body |= {name: value for name, value in chosen.items() if value is not None}
    if json_schema is not None:
        named = {"name": "answer", "schema": json_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    # A picture is a megabyte of text, in which no JSON writer need look for what to escape.
    return b'%b,"messages":[%b]}' % (to_json(body)[:-1], b",".join(map(_message, messages)))


def _message(message: Message) -> bytes:
    match message.parts:
        case (Text() as only,):
            # Some text models' chat templates read a plain string alone.
            content = to_json(only.text)
        case parts:
            content = b"[%b]" % b",".join(map(_part, parts))
    return b'{"role":"%b","content":%b}' % (message.role.value.encode(), content)


def _part(part: Part) -> bytes:
    match part:
        case Text():
            return to_json({"type": "text", "text": part.text})
        case Picture():
            return _linked(b"image_url", part.media_type.value.encode(), _base64(part))
        case Clip():
            # vLLM's own form of a video that has been sampled already: its frames as JPEG.
            frames = b",".join(_base64(it.picture) for it in part.frames)
            return _linked(b"video_url", b"video/jpeg", frames)


def _linked(kind: bytes, media_type: bytes, data: bytes) -> bytes:
    url = b"data:%b;base64,%b" % (media_type, data)
    return b'{"type":"%b","%b":{"url":"%b"}}' % (kind, kind, url)


def _base64(picture: Picture) -> bytes:
    return pybase64.b64encode(picture.data)


def read_answer(body: bytes) -> Answer:
    """Read a whole completion."""
    completion = read(_Completion, body)
    if not completion.choices:
        raise not_the_protocol()
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Answer(
        text=_text(choice.message),
        finish_reason=finish_reason(choice.finish_reason),
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        model=completion.model,
        beginnings=_beginnings(choice.logprobs),
    )


def _beginnings(told: _Likelihoods | None) -> tuple[tuple[str, float], ...]:
    if told is None or not told.content:
        return ()
    # An engine may write minus infinity as a very small number, and zero as one just above it.
    return tuple((it.token, math.exp(min(it.logprob, 0.0))) for it in told.content[0].top_logprobs)


class DeltaReader:
    """Reads the events of one stream, whose end is told over several of them."""

    def __init__(self) -> None:
        self._finish_reason: FinishReason | None = None
        self._usage = _Usage()
        self._model = ""

    def read(self, event: bytes) -> Delta | None:
        """Read one event; None when it holds no text. Raises what the engine says went wrong."""
        completion = read(_Completion, event)
        if completion.error is not None:
            raise stream_failure(completion.error, event)
        self._model = completion.model or self._model
        self._usage = completion.usage or self._usage
        if not completion.choices:
            return None
        choice = completion.choices[0]
        if choice.finish_reason is not None:
            self._finish_reason = finish_reason(choice.finish_reason)
        text = _text(choice.delta)
        return Delta(text) if text else None

    def end(self) -> Delta | None:
        """The last piece; None when the engine never said why it stopped: the answer is cut."""
        if self._finish_reason is None:
            return None
        return Delta(
            "",
            finish_reason=self._finish_reason,
            input_tokens=self._usage.prompt_tokens,
            output_tokens=self._usage.completion_tokens,
            model=self._model,
        )


def _text(said: _Said | None) -> str:
    return (said and said.content) or ""


def read_listed(body: bytes, *, wanted: str) -> Listed:
    """Read the list of models: the one that is wanted, or else the first.

    One that is wanted and not listed is taken to be there all the same, with nothing known of it.
    """
    listed = read(_Models, body).data
    if not wanted:
        return listed[0]
    return next((it for it in listed if it.id == wanted), Listed(id=wanted))


def model_info(listed: Listed) -> ModelInfo:
    """What a list tells of a model."""
    return ModelInfo(listed.id, listed.max_model_len or (listed.meta.n_ctx if listed.meta else 0))
