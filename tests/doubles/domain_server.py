"""The posemesh network as it is on the wire: accounts, domains and one domain server, on one port
of loopback, with whatever a test wants to go wrong.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import encode_basic_auth, web

from tests.doubles.http import served

EMAIL, PASSWORD = "robot@example.com", "a password"
APP_KEY, APP_SECRET = "an app", "its secret"
DOMAIN = "5c3b7a1e-0000-4000-8000-000000000001"
BOUNDARY = "----a.boundary"
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass
class Item:
    """A piece of data in the domain."""

    id: str
    name: str
    data: bytes
    data_type: str = "mentra-live-image"
    created_at: str = "2025-10-11T12:00:00Z"

    def meta(self):
        return {
            "id": self.id,
            "domain_id": DOMAIN,
            "name": self.name,
            "data_type": self.data_type,
            "size": len(self.data),
            "created_at": self.created_at,
            "updated_at": self.created_at,
        }


@dataclass
class DomainServer:
    """What a test holds of the running network. `now` is the time by which its tokens end."""

    now: float
    url: str = ""
    data_url: str = ""
    """Where it says that the domain's data is. Empty: here."""
    items: dict[str, Item] = field(default_factory=dict)
    token_seconds: float = 3600
    requests: list[web.Request] = field(default_factory=list)
    statuses: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    """By the last part of a path: what it answers before it answers as it should."""
    cut: int = 0
    """So many answers of parts end in the middle."""
    omits: set[str] = field(default_factory=set)
    """Items that are left out of parts."""
    speaks_parts: bool = True
    revoked: set[str] = field(default_factory=set)
    _made: int = 0

    def hold(self, *items: Item) -> None:
        self.items |= {item.id: item for item in items}

    def asked(self, method: str, path: str) -> list[web.Request]:
        return [it for it in self.requests if it.method == method and it.path.endswith(path)]

    def token(self, kind: str, seconds: float) -> str:
        self._made += 1
        claims = {"kind": kind, "exp": self.now + seconds, "n": self._made}
        return ".".join(map(_b64, [{"alg": "none"}, claims])) + ".signature"

    def revoke(self) -> None:
        """Take back every token of a domain that was given out so far."""
        self.revoked = {f"{n}" for n in range(self._made + 1)}

    def may(self, request: web.Request, kind: str) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token.count(".") != 2:
            return False
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        is_revoked = kind == "domain" and str(claims["n"]) in self.revoked
        return claims["kind"] == kind and claims["exp"] > self.now and not is_revoked

    async def login(self, request):
        given = await request.json()
        if given != {"email": EMAIL, "password": PASSWORD}:
            return _denied()
        return self._pair()

    async def refresh(self, request):
        return self._pair() if self.may(request, "refresh") else _denied()

    def _pair(self):
        access = self.token("user", self.token_seconds)
        refresh = self.token("refresh", 10 * self.token_seconds)
        return web.json_response({"access_token": access, "refresh_token": refresh})

    async def network(self, request):
        basic = encode_basic_auth(APP_KEY, APP_SECRET)
        if not self.may(request, "user") and request.headers.get("Authorization") != basic:
            return _denied()
        return web.json_response({"access_token": self.token("network", self.token_seconds)})

    async def auth(self, request):
        if not self.may(request, "network"):
            return _denied()
        if request.match_info["domain"] != DOMAIN:
            return web.json_response({"error": "domain not found"}, status=404)
        server = {"id": "s", "organization_id": "o", "name": "s", "url": self.data_url or self.url}
        return web.json_response(
            {
                "id": DOMAIN,
                "name": "an aisle",
                "organization_id": "o",
                "domain_server_id": "s",
                "redirect_url": "",
                "access_token": self.token("domain", self.token_seconds),
                "domain_server": server,
            }
        )

    def _found(self, request):
        ids = [it for it in request.query.get("ids", "").split(",") if it]
        name, data_type = request.query.get("name"), request.query.get("data_type")
        return [
            item
            for item in self.items.values()
            if (not ids or item.id in ids)
            and name in (None, item.name)
            and data_type in (None, item.data_type)
        ]

    async def data(self, request):
        if not self.may(request, "domain"):
            return _denied()
        found = self._found(request)
        if request.headers["Accept"] == "application/json" or not self.speaks_parts:
            return web.json_response({"data": [item.meta() for item in found]})
        response = web.StreamResponse(
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        )
        await response.prepare(request)
        sent = [item for item in found if item.id not in self.omits]
        for index, item in enumerate(sent):
            disposition = (
                f'form-data; name="{item.name}"; data-type="{item.data_type}"; id="{item.id}"; '
                f'domain-id="{DOMAIN}"; size="{len(item.data)}"; created-at="{item.created_at}"; '
                f'updated-at="{item.created_at}"'
            )
            head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
            await response.write(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode())
            if self.cut and index == len(sent) - 1:
                self.cut -= 1
                await response.write(item.data[: len(item.data) // 2])
                return response
            await response.write(item.data + b"\r\n")
        await response.write(f"--{BOUNDARY}--\r\n".encode())
        return response

    async def single(self, request):
        if not self.may(request, "domain"):
            return _denied()
        item = self.items.get(request.match_info["item"])
        if item is None:
            return web.json_response({"error": "not found"}, status=404)
        return web.Response(body=item.data, content_type="application/octet-stream")

    async def store(self, request):
        if not self.may(request, "domain"):
            return _denied()
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        kept = []
        async for part in await request.multipart():
            told = dict(_ATTRIBUTE.findall(part.headers["Content-Disposition"]))
            assert (request.method == "PUT") == ("id" in told)
            item_id = told.get("id", f"stored-{len(self.items)}")
            item = Item(item_id, told["name"], bytes(await part.read()), told["data-type"])
            self.hold(item)
            kept.append(item.meta())
        return web.json_response({"data": kept})


@asynccontextmanager
async def serving(now: float) -> AsyncIterator[DomainServer]:
    """Run the network for a block."""
    server = DomainServer(now)

    @web.middleware
    async def noted(request, handler):
        server.requests.append(request)
        assert request.headers["posemesh-client-id"]
        if waiting := server.statuses.get(request.path.rsplit("/", 1)[-1]):
            status, headers = waiting.pop(0)
            return web.Response(status=status, headers=headers)
        return await handler(request)

    app = web.Application(middlewares=[noted], client_max_size=64 * 1024 * 1024)
    data = "/api/v1/domains/{domain}/data"
    app.add_routes(
        [
            web.post("/user/login", server.login),
            web.post("/user/refresh", server.refresh),
            web.post("/service/domains-access-token", server.network),
            web.post("/api/v1/domains/{domain}/auth", server.auth),
            web.get(data, server.data),
            web.post(data, server.store),
            web.put(data, server.store),
            web.get(data + "/{item}", server.single),
        ]
    )
    async with served(app) as address:
        server.url = f"http://{address}"
        yield server


def _b64(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _denied() -> web.Response:
    return web.json_response({"error": "unauthorized"}, status=401)
