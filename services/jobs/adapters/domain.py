"""Domains of the posemesh network over HTTP: what is in them, its bytes, and results put there.

Where a domain's data lies is told by the network and not by us: every request goes there through
the guard.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp

from services.chassis.clock import Clock
from services.chassis.errors import Denied, InvalidInput
from services.jobs.adapters.domain_tokens import Access, Tokens, bearer
from services.jobs.adapters.domain_wire import (
    TIMEOUT,
    Wire,
    failures_told,
    read_bounded,
    read_json,
)
from services.jobs.config import DomainConfig
from services.jobs.content import DomainQuery
from services.jobs.ports.gathering import DomainItem, SourceDown
from services.media.guard import AddressRefused, Guard, parsed

_CONNECTIONS: Final = 8
_IDS_AT_ONCE: Final = 64
"""So many stand in one address without making it longer than servers take."""
_PARTS: Final = "multipart/form-data; boundary="
_ATTRIBUTE: Final = re.compile(r'([\w-]+)="((?:[^"\\]|\\.)*)"')
_PIECE_BYTES: Final = 64 * 1024


@asynccontextmanager
async def opened(
    config: DomainConfig, guard: Guard, clock: Clock
) -> AsyncIterator["PosemeshDomain"]:
    """Open connections to the network for a block."""
    async with AsyncExitStack() as stack:
        # The operator has named these two addresses, so they may be anywhere.
        known = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        )
        guarded = await stack.enter_async_context(
            guard.session(timeout=TIMEOUT, connections=_CONNECTIONS)
        )
        tokens = Tokens(config, Wire(known, config.client_id), clock)
        yield PosemeshDomain(tokens, Wire(guarded, config.client_id))


class PosemeshDomain:
    """Domains of the posemesh network."""

    def __init__(self, tokens: Tokens, wire: Wire) -> None:
        self._tokens = tokens
        self._wire = wire

    async def list(self, query: DomainQuery) -> Sequence[DomainItem]:
        """Tell what a query finds, without its bytes."""
        found: dict[str, DomainItem] = {}
        for ids in _batches(query.ids):
            asked = {"ids": ",".join(ids), "name": query.name, "data_type": query.data_type}
            async with self._open("GET", query.domain_id, _query(asked), accept="json") as response:
                for told in _data(response.status, await read_json(response)):
                    item = _item(told)
                    found[item.id] = item
        return tuple(found.values())

    async def fetch(
        self, domain_id: str, ids: Sequence[str], *, most_bytes: int
    ) -> AsyncGenerator[tuple[str, bytes | None], None]:
        """Give ids and bytes as they come."""
        missing = set(ids)
        for batch in _batches(ids):
            asked = _query({"ids": ",".join(batch)})
            async with self._open("GET", domain_id, asked, accept="parts") as response:
                told = response.headers.get("Content-Type", "")
                if response.status != 200 or not told.startswith(_PARTS):
                    continue
                async for item_id, data in _parts(response, most_bytes):
                    if item_id in missing:
                        missing.remove(item_id)
                        yield item_id, data
        # Servers that send no parts, or not all of them, are asked for each.
        for item_id in ids:
            if item_id in missing:
                path = f"/{quote(item_id, safe='')}?raw=true"
                async with self._open("GET", domain_id, path, accept="bytes") as response:
                    if response.status == 200:
                        yield item_id, await read_bounded(response, most_bytes)

    async def store(self, domain_id: str, *, name: str, data_type: str, data: bytes) -> None:
        """Put data of this name and type into a domain, in place of any that is there."""
        known = await self.list(DomainQuery(domain_id, name=name, data_type=data_type))
        place = f'; id="{_safe(known[0].id)}"' if known else ""
        boundary = uuid4().hex
        head = (
            f"--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: form-data;"
            f' name="{_safe(name)}"; data-type="{_safe(data_type)}"{place}\r\n\r\n'
        )
        async with self._open(
            "PUT" if known else "POST",
            domain_id,
            "",
            accept="json",
            headers={"Content-Type": f"{_PARTS}{boundary}"},
            data=head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        ) as response:
            _data(response.status, await read_json(response))

    @asynccontextmanager
    async def _open(
        self, method: str, domain_id: str, path: str, *, accept: str, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        access = await self._tokens.access(domain_id)
        async with AsyncExitStack() as stack:
            url = _url(access, domain_id, path)
            response = await stack.enter_async_context(
                self._wire.open(method, url, proof=bearer(access.token), accept=accept, **options)
            )
            if response.status == 401:
                # It was taken back before its time.
                self._tokens.forget(domain_id)
                access = await self._tokens.access(domain_id)
                url = _url(access, domain_id, path)
                response = await stack.enter_async_context(
                    self._wire.open(
                        method, url, proof=bearer(access.token), accept=accept, **options
                    )
                )
            if response.status in (401, 403):
                raise Denied(
                    "the domain's server refuses the account of this mesh",
                    remedy="look at who may read the domain, and write to it",
                    code="DOMAIN_CLOSED",
                )
            yield response


def _url(access: Access, domain_id: str, path: str) -> str:
    with failures_told():
        base = str(parsed(access.url))
    return f"{base.rstrip('/')}/api/v1/domains/{quote(domain_id, safe='')}/data{path}"


def _query(asked: Mapping[str, str]) -> str:
    set_ones = {name: value for name, value in asked.items() if value}
    return f"?{urlencode(set_ones, quote_via=quote)}" if set_ones else ""


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Batches of ids; one empty batch, which asks for everything, where there are none."""
    for start in range(0, max(len(ids), 1), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]


def _data(status: int, told: Any) -> Sequence[Any]:
    if status == 404:
        return ()
    data = told.get("data") if isinstance(told, dict) else None
    if status not in (200, 201) or not isinstance(data, list):
        raise _protocol(f"the domain's server answers HTTP status {status} in a form of its own")
    return data


def _item(told: Any) -> DomainItem:
    told = told if isinstance(told, dict) else {}
    item_id, size = told.get("id"), told.get("size")
    if not isinstance(item_id, str) or not 0 < len(item_id) <= 256:
        raise _protocol("the domain's server tells of data without an id")
    created = None
    with suppress(ValueError):
        created = datetime.fromisoformat(str(told.get("created_at")))
    return DomainItem(
        id=item_id,
        name=str(told.get("name", "")),
        data_type=str(told.get("data_type", "")),
        size=size if isinstance(size, int) else 0,
        create_time=created if created is not None and created.tzinfo is not None else None,
    )


async def _parts(
    response: aiohttp.ClientResponse, most_bytes: int
) -> AsyncIterator[tuple[str, bytes | None]]:
    try:
        reader = aiohttp.MultipartReader.from_response(response)
        while (part := await reader.next()) is not None:
            if not isinstance(part, aiohttp.BodyPartReader):
                raise _protocol("the domain's server sends parts within parts")
            # It is no usual header: id and type stand in attributes that only these servers know.
            told = dict(_ATTRIBUTE.findall(part.headers.get("Content-Disposition", "")))
            data, size = bytearray(), 0
            while piece := await part.read_chunk(_PIECE_BYTES):
                size += len(piece)
                if size <= most_bytes:
                    data += piece
            if told.get("size", str(size)) != str(size):
                raise SourceDown("the domain's server breaks off in the middle of its data")
            yield told.get("id", ""), bytes(data) if size <= most_bytes else None
    except (AddressRefused, aiohttp.ClientError, OSError):
        raise
    except (ValueError, AssertionError, RuntimeError) as broken:
        # What the reader raises where parts do not begin or end as they must.
        raise SourceDown("the domain's server sends broken parts") from broken


def _safe(text: str) -> str:
    return re.sub(r'[\r\n"\\]', "_", text)


def _protocol(problem: str) -> InvalidInput:
    return InvalidInput(problem, remedy="look at the domain's server", code="DOMAIN_PROTOCOL")
