"""An Ollama that speaks its native API as version 0.40 does, and misbehaves on demand.

A token is a word. What it answers, a test decides. Its refusals are in Ollama's words, those of its
llama.cpp wrapped once more as Ollama wraps them.
"""

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.doubles.engine_server import IMAGE_TOKENS, SENTENCE, Body, Fault, write
from tests.doubles.http import served

MODEL = "double:latest"
CONTEXT_TOKENS = 2048
MODEL_BYTES = 5_000_000_000
DEVICE_BYTES = 4_000_000_000
ROUTES = {
    ("GET", "version"),
    ("GET", "tags"),
    ("GET", "ps"),
    ("POST", "show"),
    ("POST", "chat"),
    ("POST", "pull"),
}


class OllamaServer:
    """What a test holds of the running server."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "0.40.2"
        self.models = [MODEL]
        """What has been fetched."""
        self.capabilities: list[str] | None = ["completion", "vision"]
        """What the models can do. None: the version does not say."""
        self.loaded: str | None = None
        self.reply: Callable[[Body], str] = lambda body: SENTENCE
        """Makes the whole answer to a request."""
        self.faults: deque[Fault] = deque()
        """Each is used up by one chat request, in order, instead of an answer."""
        self.bodies: list[Body] = []
        """The chat requests that came, but for those that only load or unload."""
        self.pulls: list[Body] = []
        """What was to be fetched."""
        self.pull: Callable[[Body], web.Response] = self._fetched
        """Answers a request to fetch a model."""
        self.pull_release: asyncio.Event | None = None
        """A fetch waits for it, when there is one."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        what = request.match_info["what"]
        if (request.method, what) not in ROUTES:
            raise web.HTTPNotFound
        body = await request.json() if request.method == "POST" else {}
        match what:
            case "version":
                return web.json_response({"version": self.version})
            case "tags":
                listed = [{"name": it, "model": it, "size": MODEL_BYTES} for it in self.models]
                return web.json_response({"models": listed})
            case "ps":
                return web.json_response({"models": self._running()})
            case "show":
                return self._shown(body)
            case "pull":
                self.pulls.append(body)
                if self.pull_release is not None:
                    await self.pull_release.wait()
                return self.pull(body)
            case _:
                return await self._chat(request, body)

    def _fetched(self, body: Body) -> web.Response:
        self.models.append(body["model"])
        return web.json_response({"status": "success"})

    def _running(self) -> list[Body]:
        if self.loaded is None:
            return []
        held = {"size": MODEL_BYTES, "size_vram": DEVICE_BYTES, "context_length": CONTEXT_TOKENS}
        return [{"name": self.loaded, "model": self.loaded} | held]

    def _shown(self, body: Body) -> web.Response:
        if body["model"] not in self.models:
            return refused(404, f"model '{body['model']}' not found")
        said: Body = {
            "details": {"format": "gguf", "family": "qwen25vl"},
            "model_info": {"general.architecture": "qwen25vl", "qwen25vl.context_length": 128_000},
        }
        if self.capabilities is not None:
            said["capabilities"] = self.capabilities
        return web.json_response(said)

    async def _chat(self, request: web.Request, body: Body) -> web.StreamResponse:
        if body["messages"]:
            self.bodies.append(body)
        if body["messages"] and self.faults:
            return await self.faults.popleft()(request)
        model = body["model"]
        if model not in self.models:
            return refused(404, f"model '{model}' not found")
        if not body["messages"]:
            self.loaded = None if body.get("keep_alive") == 0 else model
            reason = "load" if self.loaded else "unload"
            return web.json_response(_chunk(model, "", done=True, done_reason=reason))
        self.loaded = model
        options = body.get("options", {})
        try:
            read = self._read(body)
        except web.HTTPBadRequest as refusal:
            return refused(400, refusal.text or "")
        written, reason = write(
            self.reply(body), options.get("stop", []), options.get("num_predict", 128)
        )
        last = {
            "done_reason": reason,
            "total_duration": 10_706_818_083,
            "load_duration": 6_338_219_291,
            "prompt_eval_count": read,
            "prompt_eval_duration": 130_079_000,
            "eval_count": len(written),
            "eval_duration": 4_232_710_000,
        }
        if not body.get("stream", True):
            return web.json_response(_chunk(model, "".join(written), done=True, **last))
        response = await start_lines(request)
        for token in written:
            await send_line(response, _chunk(model, token, done=False))
        await send_line(response, _chunk(model, "", done=True, **last))
        return response

    def _read(self, body: Body) -> int:
        """The tokens of a request; raises what Ollama has against it."""
        words = " ".join(message["content"] for message in body["messages"]).split()
        images = [image for it in body["messages"] for image in it.get("images", [])]
        try:
            pictures = [base64.b64decode(image, validate=True) for image in images]
        except binascii.Error:
            raise web.HTTPBadRequest(text="illegal base64 data at input byte 0") from None
        if pictures and self.capabilities is not None and "vision" not in self.capabilities:
            said = "Multimodal data provided, but model does not support multimodal requests."
            raise _of_llama("invalid_request_error", said)
        if not all(it.startswith((b"\xff\xd8", b"\x89P")) for it in pictures):
            raise _of_llama("invalid_request_error", "Failed to load image or audio file")
        read = len(words) + IMAGE_TOKENS * len(images)
        if read > CONTEXT_TOKENS:
            if body.get("truncate", True):
                return CONTEXT_TOKENS
            said = f"request ({read} tokens) exceeds the available context size"
            raise _of_llama("exceed_context_size_error", said)
        return read


def refused(status: int, message: str) -> web.Response:
    """A refusal, as Ollama writes it."""
    return web.json_response({"error": message}, status=status)


def _of_llama(kind: str, message: str) -> web.HTTPBadRequest:
    error = {"error": {"code": 400, "message": message, "type": kind}}
    return web.HTTPBadRequest(text=json.dumps(error, separators=(",", ":")))


def _chunk(model: str, content: str, **more: Any) -> Body:
    message = {"role": "assistant", "content": content}
    return {"model": model, "created_at": "2026-11-01T00:00:00Z", "message": message} | more


async def start_lines(request: web.Request) -> web.StreamResponse:
    """Begin a stream of lines."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    return response


async def send_line(response: web.StreamResponse, line: Body) -> None:
    """Send one line."""
    await response.write(json.dumps(line).encode() + b"\n")


async def fail_in_the_middle(request: web.Request) -> web.StreamResponse:
    """A fault: the first piece, then an error, as Ollama tells it once a stream has begun."""
    response = await start_lines(request)
    await send_line(response, _chunk(MODEL, "The ", done=False))
    await send_line(response, {"error": "an error was encountered while running the model"})
    return response


async def end_early(request: web.Request) -> web.StreamResponse:
    """A fault: the stream ends in good form before the answer is done."""
    response = await start_lines(request)
    await send_line(response, _chunk(MODEL, "The ", done=False))
    return response


@asynccontextmanager
async def ollama_server() -> AsyncIterator[OllamaServer]:
    """Run an Ollama on a free port for a block."""
    server = OllamaServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/api/{what}", server.answer)
    async with served(app, handler_cancellation=True) as address:
        server.url = f"http://{address}"
        yield server
