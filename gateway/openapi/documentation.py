"""Serves what is written down: the document at `/openapi.json`, and at `/docs` a page for people
that needs no script and no other host.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from markupsafe import Markup, escape

from gateway.bridge.dialects import fastapi
from gateway.bridge.exchange import Conversation, Dialect, Request, Response, Route
from gateway.bridge.session import Socket
from gateway.envoy import contract
from gateway.openapi.document import build

_CODE: Final = re.compile(r"`([^`]+)`")
_SAFE: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def of(served: Sequence[Dialect], live: Sequence[Socket] = ()) -> Dialect:
    """Write down the contract, the dialects and the sockets; serve it as routes of its own."""
    document = build(FileDescriptorSet.FromString(contract.load()), served, live)
    page = Response(render(document).encode(), "text/html; charset=utf-8", headers=_SAFE)
    data = Response(json.dumps(document).encode(), "application/json")
    return Dialect(
        name="documentation",
        routes=(
            Route("GET", "/docs", _always(page), told=str),
            Route("GET", "/openapi.json", _always(data), told=dict),
        ),
        refuse=fastapi.refuse,
        refusal=fastapi.Refusal,
    )


def render(document: dict[str, Any]) -> str:
    """Write an OpenAPI document as a page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["words"] = _words
    return environment.get_template("page.html.j2").render(document=document)


def _words(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _always(response: Response) -> Callable[[Request], Conversation]:
    def answer(request: Request) -> Conversation:
        yield from ()
        return response

    return answer
