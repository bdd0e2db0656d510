"""The same question asked in every way that the mesh has, and of an engine or a proxy directly. The
bodies are written beforehand. It knows no measure.
"""

import base64
import io
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlencode

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
UPLOAD = "/mesh/v1/vision:describeUpload?" + urlencode(
    {"prompt": PROMPT, "sampling.max_tokens": TOKENS, "sampling.temperature": 0}
)


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

    def post(
        self, path: str, *bodies: bytes | dict[str, Any], kind: str = "application/json"
    ) -> Ask:
        """A question whose answer is read and must be good; the bodies take turns."""
        encoded = itertools.cycle(
            [it if isinstance(it, bytes) else json.dumps(it).encode() for it in bodies]
        )
        headers = {"Content-Type": kind}

        async def ask() -> None:
            body = next(encoded)
            async with self._session.post(self._base + path, data=body, headers=headers) as said:
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
    parts: Parts, *pictures: bytes, model: str = "mock"
) -> AsyncIterator[dict[str, dict[str, Ask]]]:
    """The questions by what is sent and by the way, the first way straight to the engine. Every way
    sends the same words and sampling, and the pictures in the same turn.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        channel = await stack.enter_async_context(client.channel(parts["vision"].at))
        stub = pb_grpc.VisionServiceStub(channel)
        engine = Http(session, f"http://{parts['engine'].at}/v1")
        edge = Http(session, f"http://{parts['edge'].at}")
        texts = [base64.b64encode(it).decode() for it in pictures]

        def generate(*requests: pb.GenerateRequest) -> Ask:
            turns = itertools.cycle(requests)

            async def ask() -> None:
                await client.call(stub.Generate, next(turns))

            return ask

        yield {
            "text": {
                "direct": engine.post("/chat/completions", openai_body(model)),
                "gRPC": generate(generation()),
                "REST": edge.post("/mesh/v1/vision:generate", _rest()),
                "vlm_server": edge.post("/api/v1/generate", _vlm_server()),
            },
            "image": {
                "direct": engine.post(
                    "/chat/completions", *(openai_body(model, it) for it in pictures)
                ),
                "gRPC": generate(*map(generation, pictures)),
                "REST, raw body": edge.post(UPLOAD, *pictures, kind="image/jpeg"),
                "REST, base64": edge.post(
                    "/mesh/v1/vision:generate", *(_rest({"image": {"data": it}}) for it in texts)
                ),
                "vlm_server, base64": edge.post(
                    "/api/v1/generate",
                    *(_vlm_server({"type": "image", "image": data_url(it)}) for it in pictures),
                ),
                "caption_queue, base64": edge.post(
                    "/describe",
                    *({"image": it, "prompt": PROMPT, "max_tokens": TOKENS} for it in texts),
                ),
            },
        }


def _rest(*parts: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "ROLE_USER", "parts": [*parts, {"text": PROMPT}]}
    return {"messages": [message], "sampling": {"max_tokens": TOKENS, "temperature": 0}}


def _vlm_server(*content: dict[str, Any]) -> dict[str, Any]:
    asked = [*content, {"type": "text", "text": PROMPT}]
    return {"messages": [{"role": "user", "content": asked}], "max_new_tokens": TOKENS}
