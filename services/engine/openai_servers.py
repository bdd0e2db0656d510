"""The programs that serve OpenAI's protocol, beside the protocol: who they are, what they take, how
busy they are, what they can let go of. Each is asked in its own way, once it has said who it is.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from services.chassis.errors import MeshError
from services.engine import metrics
from services.engine.http import Http
from services.engine.machine import Capabilities, EngineKind, Load, Released
from services.engine.reading import Version, read

_Slots = Annotated[int, Field(ge=1, le=4_096)]


class _Modalities(BaseModel):
    vision: bool = False


class _Props(BaseModel):
    build_info: str = Field(default="", max_length=100)
    total_slots: _Slots | None = None
    modalities: _Modalities | None = None


class _Tokens(BaseModel):
    tokens: list[int]


class _Outcome(BaseModel):
    success: bool = False


async def find(http: Http, root: str, owner: str) -> Capabilities:
    """Ask the server at `root` what it takes; `owner` is what its list of models says it is."""
    match owner:
        case "vllm":
            version = _read(Version, await _ask(http, f"{root}/version")).version
            # Its limits on pictures and clips stand in its refusals alone.
            return Capabilities(EngineKind.VLLM, version, clips=None, schema=True, likelihoods=True)
        case "llamacpp":
            props = _read(_Props, await _ask(http, f"{root}/props"))
            # That its model knows video, it says even where it cannot decode any.
            return Capabilities(
                EngineKind.LLAMA_CPP,
                props.build_info,
                pictures=None if props.modalities is None or props.modalities.vision else 0,
                schema=True,
                likelihoods=True,
                parallel=props.total_slots,
            )
        case _:
            return Capabilities()


async def count_tokens(
    http: Http, root: str, kind: EngineKind, model: str, text: str
) -> int | None:
    """Have the server count the tokens of a text; None where it does not."""
    match kind:
        case EngineKind.LLAMA_CPP:
            question = {"content": text, "add_special": False}
        case EngineKind.VLLM:
            question = {"model": model, "prompt": text, "add_special_tokens": False}
        case _:
            return None
    said = await _ask(http, f"{root}/tokenize", post=True, body=question)
    return None if said is None else len(read(_Tokens, said).tokens)


async def load(http: Http, root: str, kind: EngineKind) -> Load:
    """Ask the server how busy it is."""
    if kind not in metrics.TOLD_BY:
        return Load()
    return metrics.read(kind, await _ask(http, f"{root}/metrics"))


async def release(http: Http, root: str, can: Capabilities) -> tuple[Released, ...]:
    """Have the server drop its caches; what it does not offer is left alone."""
    match can.kind:
        case EngineKind.VLLM:
            return await _release_vllm(http, root)
        case EngineKind.LLAMA_CPP:
            return await _release_llama(http, root, can.parallel or 0)
        case _:
            return ()


async def _release_vllm(http: Http, root: str) -> tuple[Released, ...]:
    # Served in its development mode alone. It drops no blocks that a request holds, and says so:
    # then the media caches stay as well, which it would drop from under the request.
    dropped = _read(_Outcome, await _ask(http, f"{root}/reset_prefix_cache", post=True))
    if not dropped.success:
        return ()
    others = (
        ("reset_mm_cache", Released.MEDIA_CACHE),
        ("reset_encoder_cache", Released.ENCODER_CACHE),
    )
    done = [it for path, it in others if await _ask(http, f"{root}/{path}", post=True) is not None]
    return (Released.PREFIX_CACHE, *done)


async def _release_llama(http: Http, root: str, slots: int) -> tuple[Released, ...]:
    # An erasure would wait for the request that its slot works on.
    if (await load(http, root, EngineKind.LLAMA_CPP)).running:
        return ()
    for slot in range(slots):
        if await _ask(http, f"{root}/slots/{slot}?action=erase", post=True) is None:
            return ()
    return (Released.PREFIX_CACHE,) if slots else ()


async def _ask(
    http: Http, url: str, *, post: bool = False, body: Mapping[str, Any] | None = None
) -> bytes | None:
    """The answer; None where the server has no such question."""
    try:
        return await (http.post(url, body) if post else http.get(url))
    except MeshError as failed:
        if failed.passes:
            raise
        return None


_Kind = TypeVar("_Kind", bound=BaseModel)


def _read(kind: type[_Kind], body: bytes | None) -> _Kind:
    try:
        return kind() if body is None else kind.model_validate_json(body)
    except ValidationError:
        return kind()
