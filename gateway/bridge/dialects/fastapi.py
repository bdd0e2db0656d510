"""What the replaced systems that were built on FastAPI have in common: how they check what they are
sent, and `{"detail"}` for what went wrong.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from gateway.bridge.answers import json_response, retry_header, status_of
from gateway.bridge.exchange import Request, Response
from services.chassis.errors import InvalidInput, MeshError

Model = TypeVar("Model", bound=BaseModel)

MaxTokens = Annotated[int, Field(ge=1, le=32_768)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]

CORS: Final = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-max-age": "600",
}
"""A page of any origin may call."""


class Unprocessable(InvalidInput):
    """What was sent has not the shape of the route; told as a list, with status 422."""

    def __init__(self, mistakes: Sequence[dict[str, Any]]) -> None:
        super().__init__("the request has not the shape that the route takes")
        self.mistakes = list(mistakes)


def body_of(model: type[Model], request: Request) -> Model:
    """Read the JSON of a body."""
    try:
        return model.model_validate_json(request.body)
    except ValidationError as wrong:
        raise _unprocessable("body", wrong) from None


def query_of(model: type[Model], request: Request) -> Model:
    """Read the query."""
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as wrong:
        raise _unprocessable("query", wrong) from None


def file_of(request: Request) -> bytes:
    """Read the `file` of a form."""
    try:
        return request.form["file"]
    except KeyError:
        missing = {"type": "missing", "loc": ["body", "file"], "msg": "Field required"}
        raise Unprocessable([missing]) from None


def refuse(error: MeshError, told: str = "") -> Response:
    """Tell of an error: `told`, where the dialect has words of its own for it."""
    if isinstance(error, Unprocessable):
        return json_response({"detail": error.mistakes}, 422)
    return json_response({"detail": told or str(error)}, status_of(error), retry_header(error))


def _unprocessable(place: str, wrong: ValidationError) -> Unprocessable:
    # What was sent is not sent back: it may be megabytes, and a picture.
    found = wrong.errors(include_url=False, include_context=False, include_input=False)
    return Unprocessable(
        [{"type": it["type"], "loc": [place, *it["loc"]], "msg": it["msg"]} for it in found]
    )
