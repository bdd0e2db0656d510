"""Errors as OpenAI's clients read them, `{"error": {message, type, param, code}}`, and how requests
are checked: a field that is wrong or unknown is named.
"""

import re
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from gateway.bridge.answers import json_response, retry_header, status_of
from gateway.bridge.exchange import Response
from services.chassis import errors

Model = TypeVar("Model", bound=BaseModel)

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES: Final[dict[type[errors.MeshError], str]] = {
    errors.Unauthenticated: "invalid_api_key",
    errors.Exhausted: "rate_limit_exceeded",
}
_MISTAKES: Final = {
    "missing": ("you must provide it", "MISSING_REQUIRED_PARAMETER"),
    "union_tag_invalid": ("its type is unknown or not served here", "INVALID_VALUE"),
    "union_tag_not_found": ("it has no type", "MISSING_REQUIRED_PARAMETER"),
    "extra_forbidden": ("there is no such parameter here", "UNKNOWN_PARAMETER"),
}
_OURS: Final = (
    (re.compile(r"\bmessages\[(\d+)\]\.parts\[(\d+)\]\.image\.(?:uri|data)\b"), _IMAGE := (
        r"messages[\1].content[\2].image_url.url"
    )),
    (re.compile(r"\bmessages\[(\d+)\]\.parts\[(\d+)\]\.image\b"), _IMAGE),
    (re.compile(r"\bmessages\[(\d+)\]\.parts\b"), r"messages[\1].content"),
    (re.compile(r"\bsampling\."), ""),
    (re.compile(r"^json_schema\b"), "response_format.json_schema.schema"),
    (re.compile(r"^(?:settings\.)?hints\b"), "prompt"),
    (re.compile(r"^settings\."), ""),
)  # fmt: skip
"""Our names of fields, and OpenAI's."""
_AUDIO: Final = re.compile(r"^(?:audio|chunk)\b")


_SHOWN: Final = 64
_TAG: Final = re.compile(r"[./]")
"""What only the names of types have in them, which stand beside the path."""


class Shape(BaseModel):
    """What a client sends: a field that it has not is refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _know_every_name(cls, sent: Any) -> Any:
        # To note each of a million unknown names would take gigabytes: the first is enough.
        if isinstance(sent, dict):
            known = {it.alias or name for name, it in cls.model_fields.items()}
            for name in sent:
                if name not in known:
                    raise PydanticCustomError("extra_forbidden", "unknown", {"name": name})
        return sent


class Trouble(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Refusal(BaseModel):
    """An error."""

    error: Trouble


def trouble(error: errors.MeshError, *, audio: str = "file") -> Trouble:
    """Write an error; `param` is the field that is wrong, and `audio` the name of that of audio."""
    status = status_of(error)
    named = error.code.lower() if error.code != error.reason else _CODES.get(type(error))
    return Trouble(
        message=_renamed(str(error), audio),
        type=_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        param=_renamed(error.violations[0].field, audio) if error.violations else None,
        code=named,
    )


def refuse(error: errors.MeshError) -> Response:
    """Tell of an error."""
    told = Refusal(error=trouble(error)).model_dump()
    return json_response(told, status_of(error), retry_header(error))


def read(model: type[Model], sent: Any) -> Model:
    """Check what was sent: JSON as it came, or its fields. Raises `InvalidInput` naming the first
    field that is wrong.
    """
    try:
        if isinstance(sent, bytes | str):
            return model.model_validate_json(sent)
        return model.model_validate(sent)
    except ValidationError as wrong:
        # What was sent is not sent back: it may be megabytes, and a picture.
        first = wrong.errors(include_url=False, include_input=False)[0]
        problem, code = _MISTAKES.get(first["type"], (first["msg"], "INVALID_VALUE"))
        unknown = str(first.get("ctx", {}).get("name", ""))[:_SHOWN]
        if not (path := _path(first["loc"], unknown)):
            raise errors.InvalidInput(f"the request cannot be read: {problem}", code=code) from None
        raise errors.InvalidInput.field(path, problem, code=code) from None


def unsupported(param: str, remedy: str) -> errors.InvalidInput:
    """The error of a parameter that OpenAI has and this mesh has not."""
    return errors.InvalidInput.field(
        param, "is not supported here", remedy=remedy, code="UNSUPPORTED_PARAMETER"
    )


def _path(place: tuple[int | str, ...], unknown: str) -> str:
    path = ""
    for it in place:
        if isinstance(it, int):
            path += f"[{it}]"
        elif not _TAG.search(it):
            path += f".{it}"
    return f"{path}.{unknown}".strip(".") if unknown else path.removeprefix(".")


def _renamed(text: str, audio: str) -> str:
    for ours, theirs in _OURS:
        text = ours.sub(theirs, text)
    return _AUDIO.sub(audio, text)
