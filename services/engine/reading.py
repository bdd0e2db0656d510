"""How an engine's JSON is read: as its protocol says, or not at all. It knows no protocol."""

from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from services.engine.domain import FinishReason
from services.engine.errors import not_the_protocol

_INT32_MAX: Final = 2**31 - 1
_FINISH_REASONS: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}

Count = Annotated[int, Field(ge=0, le=_INT32_MAX)]
"""A number of tokens, which the contract holds in 32 bits."""
Bytes = Annotated[int, Field(ge=0, le=2**53)]
"""A size, which the contract holds in a double."""


class Version(BaseModel):
    """What a server says of its version."""

    version: str = Field(default="", max_length=100)


_Kind = TypeVar("_Kind", bound=BaseModel)


def read(kind: type[_Kind], body: bytes) -> _Kind:
    """Read JSON of this kind; raises `Internal` when it is anything else."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        raise not_the_protocol() from None


def finish_reason(said: str | None) -> FinishReason:
    """Why a model stopped, in the words that OpenAI and Ollama share."""
    return _FINISH_REASONS.get(said or "", FinishReason.UNKNOWN)
