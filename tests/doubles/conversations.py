"""Dialects without a server: conversations held by a script, for the tests of every dialect."""

import json
from typing import Any

from pydantic import TypeAdapter

from gateway.bridge.exchange import Ask, Conversation, Dialect, Request, Response
from services.chassis import errors


def tell(conversation: Conversation, *answers: Any) -> tuple[list[Ask], Response]:
    """Hold a conversation by a script: what it asked, and what came out."""
    asked: list[Ask] = []
    script = iter(answers)
    try:
        ask = next(conversation)
        while True:
            assert isinstance(ask, Ask)
            asked.append(ask)
            answer = next(script)
            if isinstance(answer, Exception):
                ask = conversation.throw(answer)
            else:
                ask = conversation.send(answer)
    except StopIteration as done:
        return asked, done.value


def call(
    dialect: Dialect, verb: str, path: str, request: Request, *answers: Any
) -> tuple[list[Ask], int, Any]:
    """Call a route as the server does, refusals included: what it asked, its status, and its JSON
    or text, which is of the shape that the dialect has written down.
    """
    (route,) = (it for it in dialect.routes if (it.verb, it.path) == (verb, path))
    try:
        asked, response = tell(route.answer(request), *answers)
    except errors.MeshError as error:
        asked, response = [], dialect.refuse(error)
    shape = route.told if response.status < 400 else dialect.refusal
    if shape is str:
        assert response.content_type == "text/plain; charset=utf-8"
        return asked, response.status, response.body.decode()
    assert response.content_type == "application/json"
    told = json.loads(response.body)
    written = TypeAdapter(shape).validate_json(response.body)
    assert TypeAdapter(shape).dump_python(written, mode="json") == told, "keys that no shape has"
    return asked, response.status, told


def body(value: Any) -> Request:
    """A request whose body is JSON, or bytes as they are."""
    return Request(body=value if isinstance(value, bytes) else json.dumps(value).encode())
