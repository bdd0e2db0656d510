"""The shapes of OpenAI's chat completions: what is asked, and what is answered, whole or in chunks.

What OpenAI has and this mesh has not may be sent as long as it asks for nothing.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import from_json

from gateway.bridge.dialects import openai_errors as wrong
from services.chassis import errors, limits

_INT32: Final = 2**31
_NOTHING: Final[dict[str, tuple[Any, ...]]] = {
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "store": (False,),
}
"""What asks for nothing, by the parameter that this mesh has not."""
_ASIDE: Final = frozenset(
    {"user", "metadata", "service_tier", "safety_identifier", "prompt_cache_key"}
)
"""What changes no answer."""

Tokens = Annotated[int, Field(ge=1, le=limits.ANSWER_TOKENS)]


class ImageUrl(wrong.Shape):
    """Where a picture is: a data URL or an address."""

    url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high"] | None = None


class Part(wrong.Shape):
    """A piece of a message: the field that is named after its type counts."""

    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None


# A million mistakes in one body would take gigabytes to tell of: the first of a list is enough.
_Parts = Annotated[list[Part], Field(min_length=1, max_length=128, fail_fast=True)]


_Stops = Annotated[list[str], Field(max_length=8, fail_fast=True)]


def _kind(value: Any) -> str:
    # Else what is wrong with a part would be told as that the whole is no text.
    return "one/text" if isinstance(value, str) else "many/parts"


class Message(wrong.Shape):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Annotated[str, Tag("one/text")] | Annotated[_Parts, Tag("many/parts")],
        Discriminator(_kind),
    ]
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nothing(cls, sent: Any) -> Any:
        # Answers are sent back as turns, with all that they had not.
        if not isinstance(sent, dict):
            return sent
        return {name: it for name, it in sent.items() if it is not None and it != []}


class JsonSchema(wrong.Shape):
    """The shape of an answer; it is always kept to."""

    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(wrong.Shape):
    """In what the answer is: words, any JSON object, or one of a shape."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(wrong.Shape):
    """Whether a stream ends with what it cost."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Asked(wrong.Shape):
    """A conversation to answer."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=256, fail_fast=True)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(default=None, ge=-_INT32, lt=_INT32)
    stop: (
        Annotated[
            Annotated[str, Tag("one/text")] | Annotated[_Stops, Tag("many/parts")],
            Discriminator(_kind),
        ]
        | None
    ) = None
    response_format: ResponseFormat | None = None


class Usage(BaseModel):
    """What an answer cost in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    """What the model says."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one answer."""

    index: Literal[0] = 0
    message: Answer
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """An answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(BaseModel):
    """What was written since the last chunk."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """The one answer, as it is written."""

    index: Literal[0] = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop", "length"] | None = None


class Chunk(BaseModel):
    """A piece of an answer; the last has no choice and the cost, where that is asked for."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


def asked(body: bytes) -> Asked:
    """Read what is asked. Raises `InvalidInput`."""
    try:
        sent = from_json(body)
    except ValueError:
        raise errors.InvalidInput("the body is no JSON", code="INVALID_VALUE") from None
    if not isinstance(sent, dict):
        raise errors.InvalidInput("the body is no JSON object", code="INVALID_VALUE")
    for name in sent.keys() & (_NOTHING.keys() | _ASIDE):
        value = sent.pop(name)
        if name in _NOTHING and value is not None and value not in _NOTHING[name]:
            raise wrong.unsupported(name, "leave it out")
    return wrong.read(Asked, sent)
