"""Ollama's native chat as JSON: requests are written, answers are read and not believed.

No I/O happens here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pybase64
from pydantic import BaseModel, Field

from services.engine.domain import Answer, Delta, Message, Picture, Sampling, Text
from services.engine.errors import not_the_protocol, stream_failure
from services.engine.machine import Capabilities, EngineKind, Load
from services.engine.ports import JsonSchema
from services.engine.reading import Bytes, Count, Version, finish_reason, read

_SCHEMAS_SINCE: Final = (0, 5)
"""Older versions take no schema but the word `json`."""


class _Said(BaseModel):
    content: str = ""


class _Chunk(BaseModel):
    model: str = ""
    message: _Said = _Said()
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Count = 0
    eval_count: Count = 0
    error: Any = None
    """What went wrong in the middle of a stream."""


class _Tagged(BaseModel):
    model: str = Field(min_length=1)


class _Tags(BaseModel):
    models: list[_Tagged] = []


class _Shown(BaseModel):
    capabilities: list[str] | None = None


class _Running(BaseModel):
    model: str = ""
    size: Bytes = 0
    size_vram: Bytes = 0
    context_length: Count = 0


class _Processes(BaseModel):
    models: list[_Running] = []


def write_chat(
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    *,
    json_schema: JsonSchema | None,
    streamed: bool,
) -> bytes:
    """Write the body of a chat."""
    options = {
        "num_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(it) for it in messages],
        "stream": streamed,
        # What is too long is refused, instead of losing its beginning without a word.
        "truncate": False,
        "shift": False,
        "options": {name: value for name, value in options.items() if value is not None},
    }
    if json_schema is not None:
        body["format"] = json_schema
    return json.dumps(body).encode()


def _message(message: Message) -> Mapping[str, Any]:
    # It takes a message's words as one text, and its pictures beside it. Clips never come here.
    words = "\n".join(part.text for part in message.parts if isinstance(part, Text))
    pictures = [
        pybase64.b64encode_as_string(part.data)
        for part in message.parts
        if isinstance(part, Picture)
    ]
    written: dict[str, Any] = {"role": message.role.value, "content": words}
    return written | {"images": pictures} if pictures else written


def read_answer(body: bytes) -> Answer:
    """Read a whole answer."""
    chunk = read(_Chunk, body)
    if not chunk.done:
        raise not_the_protocol()
    return Answer(
        text=chunk.message.content,
        finish_reason=finish_reason(chunk.done_reason),
        input_tokens=chunk.prompt_eval_count,
        output_tokens=chunk.eval_count,
        model=chunk.model,
    )


def read_delta(line: bytes) -> Delta | None:
    """Read one line of a stream; None when it says nothing. Raises what it says went wrong."""
    chunk = read(_Chunk, line)
    if chunk.error is not None:
        raise stream_failure(chunk.error, line)
    if chunk.done:
        return Delta(
            chunk.message.content,
            finish_reason=finish_reason(chunk.done_reason),
            input_tokens=chunk.prompt_eval_count,
            output_tokens=chunk.eval_count,
            model=chunk.model,
        )
    return Delta(chunk.message.content) if chunk.message.content else None


def read_tags(body: bytes) -> list[str]:
    """Read the names of the models that are there."""
    return [it.model for it in read(_Tags, body).models]


def read_capabilities(version: bytes, shown: bytes) -> Capabilities:
    """Read what the server and its model say of themselves."""
    said = read(Version, version).version
    can = read(_Shown, shown).capabilities
    return Capabilities(
        EngineKind.OLLAMA,
        said,
        # Older versions do not say whether a model sees.
        pictures=None if can is None or "vision" in can else 0,
        schema=_numbers(said) >= _SCHEMAS_SINCE,
    )


def _numbers(version: str) -> tuple[int, ...]:
    numbers = version.split("-")[0].split(".")
    return tuple(int(it) for it in numbers if it.isascii() and it.isdigit())


def read_loaded(body: bytes, model: str) -> tuple[Load, int] | None:
    """Read what a loaded model holds, and the tokens of its context; None when it is not loaded."""
    for running in read(_Processes, body).models:
        if running.model == model:
            load = Load(memory_bytes=running.size, device_memory_bytes=running.size_vram)
            return load, running.context_length
    return None
