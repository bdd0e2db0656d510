"""The WebSockets, which OpenAPI has no words for: an extension of the document beside its paths."""

import inspect
from collections.abc import Iterable
from typing import Any, Final

from gateway.bridge.session import Code, Socket
from services.chassis import limits

NAME: Final = "x-websockets"
_MOST: Final = limits.SOCKET_MESSAGE_BYTES // limits.MEBIBYTE
_MEANT: Final = {
    Code.NORMAL: "nothing is left to say",
    Code.GOING_AWAY: "the server goes away; connect again",
    Code.POLICY: "the key or the query is refused; do not come again with the same",
    Code.TOO_LARGE: f"a message was over the limit of {_MOST} MiB",
    Code.FAILED: "something failed inside the mesh",
    Code.TRY_AGAIN_LATER: "too much is open or held at once, or what was sent was not read",
}


def describe(served: Iterable[Socket]) -> dict[str, Any]:
    """What is served at which path, and what the codes say with which sockets are closed."""
    return {
        "sockets": {it.path: {"description": _about(it), "query": dict(it.query)} for it in served},
        "codes": {str(code.value): meant for code, meant in _MEANT.items()},
    }


def _about(socket: Socket) -> str:
    module = inspect.getmodule(socket.open)
    told = socket.about or (inspect.getdoc(module) or "").partition("\n\n")[0]
    return " ".join(told.split())
