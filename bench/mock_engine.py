"""An engine that answers every chat with the same words, at once or after a fixed time: what is
left is what lies before it. Run as `python -m bench.mock_engine HOST:PORT [SECONDS [PARALLEL]]`.
A question with a schema gets an object that fits: `false`, or the last of what it may say.
"""

import asyncio
import json
import re
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
EVENTS = (
    b"".join(
        b"data: " + json.dumps({"model": "mock"} | it).encode() + b"\n\n"
        for it in (
            {"choices": [{"index": 0, "delta": {"content": "The shelf holds four red boxes."}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7}},
        )
    )
    + b"data: [DONE]\n\n"
)
SCHEMA = re.compile(
    rb'"properties":\{"(\w+)":\{(?:"type":"boolean"|"enum":\["[^\]]*?"?(\w+)"\])\}\}'
)
SECONDS = web.AppKey("seconds", float)
FREE = web.AppKey("free", asyncio.Semaphore)
MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "mock", "object": "model"}]}


async def _chat(request: web.Request) -> web.Response:
    body = await request.read()
    # No picture is so long without it: what it says is not read, because that would take time.
    streams = b'"stream":true' in body[:200] + body[-2_000:]
    judged = SCHEMA.search(body[:2_000])
    if FREE in request.app:
        async with request.app[FREE]:
            await asyncio.sleep(request.app[SECONDS])
    else:
        await asyncio.sleep(request.app[SECONDS])
    if judged:
        chosen = judged[2].decode() if judged[2] else False
        said = json.dumps(json.dumps({judged[1].decode(): chosen})).encode()
        answer = ANSWER.replace(b'"The shelf holds four red boxes."', said)
        return web.Response(body=answer, content_type="application/json")
    if streams:
        return web.Response(body=EVENTS, content_type="text/event-stream")
    return web.Response(body=ANSWER, content_type="application/json")


async def _models(request: web.Request) -> web.Response:
    return web.json_response(MODELS)


async def _health(request: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    """Serve until a signal ends the process."""
    app = web.Application(client_max_size=1 << 27)
    app[SECONDS] = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    if len(sys.argv) > 3 and int(sys.argv[3]):
        app[FREE] = asyncio.Semaphore(int(sys.argv[3]))
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/health", _health)
    host, _, port = sys.argv[1].rpartition(":")
    uvloop.install()
    web.run_app(app, host=host, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
