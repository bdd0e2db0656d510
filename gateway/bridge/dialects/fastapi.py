"""What the replaced systems that were built on FastAPI have in common: how they check what they are
sent, and `{"detail"}` for what went wrong.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from gateway.bridge.answers import json_response, retry_header, status_of
from gateway.bridge.exchange import Request, Response
from services.chassis import limits
from services.chassis.errors import Exhausted, InvalidInput, MeshError

Model = TypeVar("Model", bound=BaseModel)

MaxTokens = Annotated[int, Field(ge=1, le=limits.ANSWER_TOKENS)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class File(BaseModel):
    """A form with a file in it."""

    file: bytes


class Mistake(BaseModel):
    """What was wrong with one place of a request."""

    type: str
    loc: list[str | int]
    msg: str


class Refusal(BaseModel):
    """What went wrong: in words, or in a list where the request has not the shape of its route."""

    detail: str | list[Mistake]


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


def form_of(model: type[Model], request: Request) -> Model:
    """Read the fields of a form."""
    try:
        return model.model_validate(dict(request.form))
    except ValidationError as wrong:
        raise _unprocessable("body", wrong) from None


def told(answer: BaseModel, status: int = 200) -> Response:
    """Answer in JSON."""
    return Response(answer.model_dump_json().encode(), "application/json", status)


def refuse(error: MeshError, words: str = "") -> Response:
    """Tell of an error: in `words`, where the dialect has its own for it."""
    if isinstance(error, Unprocessable):
        return json_response({"detail": error.mistakes}, 422)
    # Their clients know 503 as the status that passes, and none knows 429.
    status = 503 if isinstance(error, Exhausted) else status_of(error)
    return json_response({"detail": words or str(error)}, status, retry_header(error))


def _unprocessable(place: str, wrong: ValidationError) -> Unprocessable:
    # What was sent is not sent back: it may be megabytes, and a picture.
    found = wrong.errors(include_url=False, include_context=False, include_input=False)
    return Unprocessable(
        [{"type": it["type"], "loc": [place, *it["loc"]], "msg": it["msg"]} for it in found]
    )
