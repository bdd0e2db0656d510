"""Dialects without a server: conversations held by a script, for the tests of every dialect."""

import json
from typing import Any

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
    """Call a route as the server does, refusals included: what it asked, its status, its JSON."""
    (route,) = (it for it in dialect.routes if (it.verb, it.path) == (verb, path))
    try:
        asked, response = tell(route.answer(request), *answers)
    except errors.MeshError as error:
        asked, response = [], dialect.refuse(error)
    assert response.content_type == "application/json"
    return asked, response.status, json.loads(response.body)


def body(value: Any) -> Request:
    """A request whose body is JSON, or bytes as they are."""
    return Request(body=value if isinstance(value, bytes) else json.dumps(value).encode())
