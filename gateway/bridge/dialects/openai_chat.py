"""OpenAI's `/v1/chat/completions`: a conversation in, its answer out, whole or as it is written.

The model that is named says which room answers; `default` is the one that sees where there are
pictures, and the one that reasons where there are none.
"""

import json
import secrets
from collections.abc import Iterator
from typing import Any, Final, Literal

from google.protobuf.json_format import MessageToDict
from mesh.reasoning.v1 import reasoning_service_pb2 as reasoning_pb
from mesh.types.v1 import chat_pb2, image_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as vision_pb
from pydantic_core import from_json

from gateway.bridge.answers import json_response
from gateway.bridge.dialects import openai_chat_shapes as shapes
from gateway.bridge.dialects import openai_errors as wrong
from gateway.bridge.dialects import openai_models as models
from gateway.bridge.dialects.openai_audio import event
from gateway.bridge.exchange import Ask, Conversation, Events, Request, Response
from gateway.bridge.pictures import source_from_text
from services.chassis import errors
from services.chassis.clock import SystemClock

_ROLES: Final = {
    "system": chat_pb2.ROLE_SYSTEM,
    "developer": chat_pb2.ROLE_SYSTEM,
    "user": chat_pb2.ROLE_USER,
    "assistant": chat_pb2.ROLE_ASSISTANT,
}
_DONE: Final = b"data: [DONE]\n\n"
_WRAPPED: Final = ";base64,{"
_CONTRACTS: Final[dict[str, Any]] = {models.VISION: vision_pb, models.REASONING: reasoning_pb}


class _Answering:
    """One answer: its name, its time, its model, in every piece of it the same."""

    def __init__(self, asked: shapes.Asked, model: str) -> None:
        self._same: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(SystemClock().now().timestamp()),
            "model": model,
        }
        options = asked.stream_options
        self._tells_usage = options is not None and options.include_usage
        self._has_begun = False

    def whole(self, text: str, reason: chat_pb2.FinishReason, usage: usage_pb2.Usage) -> Response:
        choice = shapes.Choice(message=shapes.Answer(content=text), finish_reason=_reason(reason))
        told = shapes.Completion(**self._same, choices=[choice], usage=_usage(usage))
        return json_response(told.model_dump())

    def told(self, piece: reasoning_pb.GenerateStreamResponse) -> bytes:
        written = b""
        if not self._has_begun:
            self._has_begun = True
            written += self._chunk(shapes.Delta(role="assistant", content=""))
        if piece.delta:
            written += self._chunk(shapes.Delta(content=piece.delta))
        # The last piece is the one that says what it cost.
        if piece.HasField("usage"):
            written += self._chunk(shapes.Delta(), _reason(piece.finish_reason))
            if self._tells_usage:
                written += self._event([], _usage(piece.usage))
        return written

    def ended(self, error: errors.MeshError | None) -> bytes:
        return event({"error": wrong.trouble(error).model_dump()}) if error else _DONE

    def _chunk(self, delta: shapes.Delta, reason: Literal["stop", "length"] | None = None) -> bytes:
        return self._event([shapes.ChunkChoice(delta=delta, finish_reason=reason)])

    def _event(self, choices: list[shapes.ChunkChoice], usage: shapes.Usage | None = None) -> bytes:
        told = shapes.Chunk(**self._same, choices=choices, usage=usage).model_dump()
        for choice in told["choices"]:
            choice["delta"] = {name: it for name, it in choice["delta"].items() if it is not None}
        if not self._tells_usage:
            del told["usage"]
        return event(told)


def complete(request: Request) -> Conversation:
    """Answer a conversation; with `stream`, as server-sent events while the model writes."""
    asked = shapes.asked(request.body)
    messages, schema = list(_messages(asked.messages)), _schema(asked)
    sees = any(part.HasField("image") for it in messages for part in it.parts)
    rooms = (models.REASONING, models.VISION)
    service, model = yield from models.choose(asked.model, *(rooms[::-1] if sees else rooms))
    answering = _Answering(asked, model)
    said: dict[str, Any] = {"messages": messages, "sampling": _sampling(asked)}
    if schema:
        if service == models.VISION:
            raise wrong.unsupported("response_format", "the model that sees answers in words alone")
        extract = reasoning_pb.ExtractRequest(json_schema=schema, **said)
        made: reasoning_pb.ExtractResponse = yield Ask(service, "Extract", extract)
        return _extracted(asked, answering, made)
    contract = _CONTRACTS[service]
    if asked.stream:
        ask = Ask(service, "GenerateStream", contract.GenerateStreamRequest(**said))
        return Events(ask, answering.told, answering.ended)
    told = yield Ask(service, "Generate", contract.GenerateRequest(**said))
    return answering.whole(told.text, told.finish_reason, told.usage)


def _extracted(
    asked: shapes.Asked, answering: _Answering, made: reasoning_pb.ExtractResponse
) -> Response:
    text = json.dumps(_whole_numbers(MessageToDict(made.value)), ensure_ascii=False)
    if not asked.stream:
        return answering.whole(text, chat_pb2.FINISH_REASON_STOP, made.usage)
    # It was checked as a whole, and comes so.
    piece = reasoning_pb.GenerateStreamResponse(
        delta=text, finish_reason=chat_pb2.FINISH_REASON_STOP, usage=made.usage
    )
    return Response(answering.told(piece) + _DONE, "text/event-stream")


def _messages(sent: list[shapes.Message]) -> Iterator[chat_pb2.Message]:
    for place, message in enumerate(sent):
        path = f"messages[{place}].content"
        content = message.content
        said = [shapes.Part(type="text", text=content)] if isinstance(content, str) else content
        parts = [_part(it, f"{path}[{i}]") for i, it in enumerate(said)]
        # An empty text says nothing, and the contract has none.
        parts = [it for it in parts if it.HasField("image") or it.text]
        if parts or message.role == "user":
            yield chat_pb2.Message(role=_ROLES[message.role], parts=parts)


def _part(sent: shapes.Part, path: str) -> chat_pb2.Part:
    match sent:
        case shapes.Part(type="text", text=str(text)):
            return chat_pb2.Part(text=text)
        case shapes.Part(type="image_url", image_url=shapes.ImageUrl(url=url)):
            at = f"{path}.image_url.url"
            return chat_pb2.Part(image=image_pb2.Image(**source_from_text(_unwrapped(url), at)))
        case _:
            raise errors.InvalidInput.field(
                f"{path}.{sent.type}", "you must provide it", code="MISSING_REQUIRED_PARAMETER"
            )


def _unwrapped(url: str) -> str:
    """Robots send a data URL whose data is `{"timestamp", "frame"}`, with the picture in it."""
    start = url.find(_WRAPPED, 0, 256)
    if start < 0:
        return url
    try:
        wrapped = from_json(url[start + len(_WRAPPED) - 1 :])
    except ValueError:
        return url
    frame = wrapped.get("frame")
    return frame if isinstance(frame, str) else url


def _sampling(asked: shapes.Asked) -> chat_pb2.Sampling:
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    return chat_pb2.Sampling(
        max_tokens=asked.max_completion_tokens or asked.max_tokens or 0,
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        stop=stop or (),
    )


def _schema(asked: shapes.Asked) -> str:
    match asked.response_format:
        case shapes.ResponseFormat(type="json_object"):
            return '{"type": "object"}'
        case shapes.ResponseFormat(type="json_schema", json_schema=shapes.JsonSchema(schema_=it)):
            return json.dumps(it)
        case shapes.ResponseFormat(type="json_schema"):
            raise errors.InvalidInput.field(
                "response_format.json_schema",
                "you must provide it",
                code="MISSING_REQUIRED_PARAMETER",
            )
        case _:
            return ""


def _reason(reason: chat_pb2.FinishReason) -> Literal["stop", "length"]:
    return "length" if reason == chat_pb2.FINISH_REASON_LENGTH else "stop"


def _usage(usage: usage_pb2.Usage) -> shapes.Usage:
    read, written = usage.input_tokens, usage.output_tokens
    return shapes.Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)


def _whole_numbers(value: Any) -> Any:
    """A struct has no whole numbers; JSON has."""
    match value:
        case dict():
            return {name: _whole_numbers(it) for name, it in value.items()}
        case list():
            return [_whole_numbers(it) for it in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
