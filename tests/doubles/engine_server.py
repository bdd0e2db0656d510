"""An engine that speaks OpenAI's chat protocol as llama.cpp does, and misbehaves on demand.

A token is a word. What it answers, a test decides.
"""

import asyncio
import base64
import json
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.doubles.engine_programs import Program
from tests.doubles.http import served

Body = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]

MODEL = "double"
CONTEXT_TOKENS = 2048
IMAGE_TOKENS = 20
SENTENCE = "The shelf holds three red boxes. The floor is clean."


class EngineServer:
    """What a test holds of the running engine."""

    def __init__(self) -> None:
        self.url = ""
        self.program = Program()
        self.reply: Callable[[Body], str] = lambda body: SENTENCE
        """Makes the whole answer to a request."""
        self.beginnings: Callable[[Body], dict[str, float]] = lambda body: {}
        """The tokens that its answer to a request may begin with, if others than it begins with,
        and how likely each is.
        """
        self.dwells: Callable[[Body], bool] = lambda body: False
        """Whether it stays at this answer after its first piece, until its client leaves."""
        self.faults: deque[Fault] = deque()
        """Each is used up by one chat request, in order, instead of an answer."""
        self.models_fault: Fault | None = None
        """Answers for the list of models while it is set."""
        self.bodies: list[Body] = []
        """The chat requests that came."""
        self.headers: list[dict[str, str]] = []
        """Their headers."""
        self.release: asyncio.Event | None = None
        """Answers wait for it, when there is one."""
        self.chatting = asyncio.Event()
        """Set when a chat request has come."""
        self.hung_up = asyncio.Event()
        """Set when a client left before its answer was whole."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.chatting.set()
        self.program.running += 1
        try:
            if self.faults:
                return await self.faults.popleft()(request)
            if self.release is not None:
                await self.release.wait()
            return await self._answer(request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.hung_up.set()
            raise
        finally:
            self.program.running -= 1

    async def models(self, request: web.Request) -> web.StreamResponse:
        if self.models_fault is not None:
            return await self.models_fault(request)
        listed = {"id": MODEL, "owned_by": self.program.owner, "meta": {"n_ctx": CONTEXT_TOKENS}}
        return web.json_response({"object": "list", "data": [listed]})

    async def _answer(self, request: web.Request, body: Body) -> web.StreamResponse:
        if refused := self.program.refusal(body):
            return refused
        contents = [message["content"] for message in body["messages"]]
        parts = [part for content in contents for part in _parts(content)]
        images = [part for part in parts if part["type"] == "image_url"]
        if not all(_is_picture(part["image_url"]["url"]) for part in images):
            return _refused(400, "invalid_request_error", "Failed to load image or audio file")
        texts = [part["text"] for part in parts if part["type"] == "text"]
        read = len(" ".join(texts).split()) + IMAGE_TOKENS * len(images)
        if read > CONTEXT_TOKENS:
            return _refused(400, "exceed_context_size_error", "request exceeds the context size")
        written, reason = write(self.reply(body), body.get("stop", []), body["max_tokens"])
        usage = {"prompt_tokens": read, "completion_tokens": len(written)}
        if body.get("stream"):
            if self.dwells(body):
                return await stream_then_hang(request)
            return await _stream(request, written, reason, usage)
        message = {"role": "assistant", "content": "".join(written)}
        choice: Body = {"index": 0, "finish_reason": reason, "message": message}
        if body.get("logprobs"):
            likely = self.beginnings(body) or {written[0]: 0.9}
            told = [{"token": it, "logprob": math.log(share)} for it, share in likely.items()]
            first = {"token": written[0], "top_logprobs": told[: body["top_logprobs"]]}
            choice["logprobs"] = {"content": [first]}
        return web.json_response({"model": MODEL, "choices": [choice], "usage": usage})


def write(whole: str, stops: list[str], most: int) -> tuple[list[str], str]:
    """The tokens of an answer as they are written, and why they end."""
    for stop in stops:
        whole = whole.split(stop)[0]
    tokens = re.findall(r"\S+\s*", whole)
    return tokens[:most], "length" if most < len(tokens) else "stop"


def _parts(content: Any) -> list[Body]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _is_picture(url: str) -> bool:
    head, _, encoded = url.partition(";base64,")
    data = base64.b64decode(encoded, validate=True)
    return (head, data[:2]) in (("data:image/jpeg", b"\xff\xd8"), ("data:image/png", b"\x89P"))


def _refused(status: int, kind: str, message: str) -> web.Response:
    error = {"code": status, "message": message, "type": kind}
    return web.json_response({"error": error}, status=status)


async def _stream(
    request: web.Request, written: list[str], reason: str, usage: Body
) -> web.StreamResponse:
    response = await start_stream(request)
    await send_event(response, _chunk({"role": "assistant", "content": None}))
    for token in written:
        await send_event(response, _chunk({"content": token}))
    await send_event(response, _chunk({}, reason))
    await send_event(response, {"model": MODEL, "choices": [], "usage": usage})
    await response.write(b"data: [DONE]\n\n")
    return response


def _chunk(delta: Body, reason: str | None = None) -> Body:
    choice = {"index": 0, "finish_reason": reason, "delta": delta}
    return {"model": MODEL, "choices": [choice]}


async def start_stream(request: web.Request) -> web.StreamResponse:
    """Begin a stream of events."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def send_event(response: web.StreamResponse, event: Body) -> None:
    """Send one event."""
    await response.write(f"data: {json.dumps(event)}\n\n".encode())


async def close_connection(request: web.Request) -> web.StreamResponse:
    """A fault: close the connection before a byte of the answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def hang(request: web.Request) -> web.StreamResponse:
    """A fault: never answer."""
    await asyncio.Event().wait()
    return web.Response()


async def stream_then_hang(request: web.Request) -> web.StreamResponse:
    """A fault: send the first piece and no other."""
    response = await start_stream(request)
    await send_event(response, _chunk({"content": "The "}))
    return await hang(request)


async def cut_stream(request: web.Request) -> web.StreamResponse:
    """A fault: send the first piece, then close the connection."""
    response = await start_stream(request)
    await send_event(response, _chunk({"content": "The "}))
    assert request.transport is not None
    request.transport.close()
    return response


async def end_stream_early(request: web.Request) -> web.StreamResponse:
    """A fault: end the stream in good form without saying why the model stopped."""
    response = await start_stream(request)
    await send_event(response, _chunk({"content": "The "}))
    return response


async def huge_line(request: web.Request) -> web.StreamResponse:
    """A fault: an event without end."""
    response = await start_stream(request)
    await response.write(b"data: " + b"x" * 1_000_000)
    return response


async def huge_body(request: web.Request) -> web.StreamResponse:
    """A fault: an answer far above any limit."""
    return web.Response(body=b"x" * 9_000_000)


def answer_with(status: int, body: str = "", headers: dict[str, str] | None = None) -> Fault:
    """A fault: this status, body and headers."""

    async def fault(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return fault


@asynccontextmanager
async def engine_server() -> AsyncIterator[EngineServer]:
    """Run an engine on a free port for a block."""
    server = EngineServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes(
        [
            web.post("/v1/chat/completions", server.chat),
            web.get("/v1/models", server.models),
            *server.program.routes(),
        ]
    )
    async with served(app, handler_cancellation=True) as address:
        server.url = f"http://{address}/v1"
        yield server
