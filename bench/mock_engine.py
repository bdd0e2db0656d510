"""An engine that answers every chat at once with the same words: what is left is what lies before
it. Run as `python -m bench.mock_engine HOST:PORT`.
"""

import json
import sys
from typing import Any

import uvloop
from aiohttp import web

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The shelf holds four red boxes."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
    }
).encode()
MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "mock", "object": "model"}]}


async def _chat(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def _models(request: web.Request) -> web.Response:
    return web.json_response(MODELS)


async def _health(request: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    """Serve until a signal ends the process."""
    app = web.Application(client_max_size=1 << 27)
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/health", _health)
    host, _, port = sys.argv[1].rpartition(":")
    uvloop.install()
    web.run_app(app, host=host, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
