"""The same question asked in every way that the mesh has, and of an engine or a proxy directly. The
bodies are written beforehand. It knows no measure.
"""

import base64
import io
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from mesh.types.v1 import chat_pb2, image_pb2
from mesh.vision.v1 import vision_service_pb2 as pb
from mesh.vision.v1 import vision_service_pb2_grpc as pb_grpc
from PIL import Image

from bench.parts import Parts
from services.chassis import client

Ask = Callable[[], Awaitable[None]]
PROMPT = "Describe this image."
TOKENS = 64


def photo(width: int, height: int, *, quality: int = 85, seed: int = 1) -> bytes:
    """A JPEG with the detail of a photograph: soft shapes and some noise."""
    chance = random.Random(seed)
    coarse = Image.frombytes("RGB", (16, 12), chance.randbytes(16 * 12 * 3))
    soft = coarse.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((width, height), 24).convert("RGB")
    return encoded(Image.blend(soft, grain, 0.25), quality=quality)


def encoded(image: Image.Image, *, quality: int = 90) -> bytes:
    """A picture as a JPEG."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


class Http:
    """Asks over HTTP at one address."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    def post(self, path: str, body: bytes | dict[str, Any], kind: str = "application/json") -> Ask:
        """A question whose answer is read and must be good."""
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def ask() -> None:
            headers = {"Content-Type": kind}
            async with self._session.post(self._base + path, data=encoded, headers=headers) as said:
                answer = await said.read()
                assert said.status == 200, answer[:300]

        return ask


def openai_body(model: str, data: bytes | None = None) -> dict[str, Any]:
    """What an OpenAI-compatible engine or proxy is asked."""
    content: list[dict[str, Any]] = [{"type": "text", "text": PROMPT}]
    if data is not None:
        content.insert(0, {"type": "image_url", "image_url": {"url": data_url(data)}})
    messages = [{"role": "user", "content": content}]
    return {"model": model, "messages": messages, "max_tokens": TOKENS, "temperature": 0}


def data_url(data: bytes) -> str:
    """A JPEG as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def generation(data: bytes | None = None) -> pb.GenerateRequest:
    """The question as the contract has it."""
    parts = [chat_pb2.Part(text=PROMPT)]
    if data is not None:
        parts.insert(0, chat_pb2.Part(image=image_pb2.Image(data=data)))
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=parts)
    sampling = chat_pb2.Sampling(max_tokens=TOKENS, temperature=0)
    return pb.GenerateRequest(messages=[message], sampling=sampling)


@asynccontextmanager
async def asking(
    parts: Parts, data: bytes, *, model: str = "mock"
) -> AsyncIterator[dict[str, dict[str, Ask]]]:
    """The questions by what is sent and by the way, the first way straight to the engine."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        channel = await stack.enter_async_context(client.channel(parts["vision"].at))
        stub = pb_grpc.VisionServiceStub(channel)
        engine = Http(session, f"http://{parts['engine'].at}/v1")
        edge = Http(session, f"http://{parts['edge'].at}")
        base64_text = base64.b64encode(data).decode()

        def generate(request: pb.GenerateRequest) -> Ask:
            async def ask() -> None:
                await client.call(stub.Generate, request)

            return ask

        def rest(*parts: dict[str, Any]) -> dict[str, Any]:
            message = {"role": "ROLE_USER", "parts": [*parts, {"text": PROMPT}]}
            return {
                "messages": [message],
                "sampling": {"max_tokens": TOKENS, "temperature": 0},
            }

        def vlm_server(*content: dict[str, Any]) -> dict[str, Any]:
            asked = [*content, {"type": "text", "text": PROMPT}]
            return {"messages": [{"role": "user", "content": asked}], "max_new_tokens": TOKENS}

        yield {
            "text": {
                "direct": engine.post("/chat/completions", openai_body(model)),
                "gRPC": generate(generation()),
                "REST": edge.post("/mesh/v1/vision:generate", rest()),
                "vlm_server": edge.post("/api/v1/generate", vlm_server()),
            },
            "image": {
                "direct": engine.post("/chat/completions", openai_body(model, data)),
                "gRPC": generate(generation(data)),
                "REST, raw body": edge.post("/mesh/v1/vision:describeUpload", data, "image/jpeg"),
                "REST, base64": edge.post(
                    "/mesh/v1/vision:generate", rest({"image": {"data": base64_text}})
                ),
                "vlm_server, base64": edge.post(
                    "/api/v1/generate", vlm_server({"type": "image", "image": data_url(data)})
                ),
                "caption_queue, base64": edge.post(
                    "/describe", {"image": base64_text, "prompt": PROMPT, "max_tokens": TOKENS}
                ),
            },
        }
