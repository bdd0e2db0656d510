"""The tokens of the posemesh network: an account's, the network's, and each domain's. Each is used
until a minute before its end. None is ever told: not in an error, not in a log, not in a span.
"""

import asyncio
import base64
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from services.chassis.clock import Clock
from services.chassis.errors import Denied, InvalidInput
from services.jobs.adapters.domain_wire import Wire
from services.jobs.config import DomainConfig

_EARLY_SECONDS: Final = 60.0
_DOMAINS: Final = 64
_REFUSED: Final = (400, 401, 403, 404, 422)


@dataclass(frozen=True)
class Access:
    """What opens one domain."""

    token: str = field(repr=False)
    url: str = field(repr=False)
    """The server that holds its data, as the network names it: not to be trusted."""
    expires: float


class Tokens:
    """Logs in, and stays so."""

    def __init__(self, config: DomainConfig, wire: Wire, clock: Clock) -> None:
        self._config = config
        self._wire = wire
        self._clock = clock
        self._turn = asyncio.Lock()
        self._account = _Pair()
        self._network = ""
        self._domains: OrderedDict[str, Access] = OrderedDict()

    async def access(self, domain_id: str) -> Access:
        """Open a domain."""
        async with self._turn:
            known = self._domains.get(domain_id)
            if known is not None and known.expires - _EARLY_SECONDS > self._now():
                self._domains.move_to_end(domain_id)
                return known
            found = await self._open(domain_id)
            self._domains[domain_id] = found
            self._domains.move_to_end(domain_id)
            if len(self._domains) > _DOMAINS:
                self._domains.popitem(last=False)
            return found

    def forget(self, domain_id: str) -> None:
        """Trust no token any more: one was refused before its time."""
        self._domains.pop(domain_id, None)
        self._network = ""
        self._account = _Pair(refresh=self._account.refresh)

    async def _open(self, domain_id: str) -> Access:
        url = f"{self._config.dds_url}/api/v1/domains/{quote(domain_id, safe='')}/auth"
        status, told = await self._wire.ask("POST", url, proof=bearer(await self._network_token()))
        if status == 401:
            self._network = ""
            status, told = await self._wire.ask(
                "POST", url, proof=bearer(await self._network_token())
            )
        if status in _REFUSED:
            raise InvalidInput(
                "the domain is unknown, or closed to the account of this mesh",
                remedy="look at the domain's id and at who may read it",
                code="DOMAIN_CLOSED",
            )
        server = _object(told, "domain_server")
        token = _text(told, "access_token")
        return Access(token, _text(server, "url").rstrip("/"), self._expires(token))

    async def _network_token(self) -> str:
        if self._expires(self._network) - _EARLY_SECONDS > self._now():
            return self._network
        url = f"{self._config.api_url}/service/domains-access-token"
        status, told = await self._wire.ask("POST", url, proof=await self._proof())
        if status == 401 and self._config.app_key is None:
            self._account = _Pair(refresh=self._account.refresh)
            status, told = await self._wire.ask("POST", url, proof=await self._proof())
        self._network = self._granted(status, told).access
        return self._network

    async def _proof(self) -> str:
        config = self._config
        if config.app_key is not None and config.app_secret is not None:
            secret = config.app_secret.get_secret_value()
            return aiohttp.encode_basic_auth(config.app_key, secret)
        if self._expires(self._account.access) - _EARLY_SECONDS <= self._now():
            self._account = await self._refreshed() or await self._logged_in()
        return bearer(self._account.access)

    async def _refreshed(self) -> "_Pair | None":
        refresh = self._account.refresh
        if self._expires(refresh) - _EARLY_SECONDS <= self._now():
            return None
        url = f"{self._config.api_url}/user/refresh"
        status, told = await self._wire.ask("POST", url, proof=bearer(refresh))
        return None if status in _REFUSED else self._granted(status, told)

    async def _logged_in(self) -> "_Pair":
        config = self._config
        password = config.posemesh_password
        given = {
            "email": config.posemesh_email,
            "password": password.get_secret_value() if password else "",
        }
        status, told = await self._wire.ask("POST", f"{config.api_url}/user/login", given=given)
        return self._granted(status, told)

    def _granted(self, status: int, told: Any) -> "_Pair":
        if status in _REFUSED:
            raise Denied(
                "the posemesh network refuses the account of this mesh",
                remedy="have the operator look at POSEMESH_EMAIL and POSEMESH_PASSWORD, or at"
                " APP_KEY and APP_SECRET",
                code="DOMAIN_LOGIN",
            )
        refresh = told.get("refresh_token") if isinstance(told, dict) else None
        return _Pair(_text(told, "access_token"), refresh if isinstance(refresh, str) else "")

    def _expires(self, token: str) -> float:
        """When a token ends, in seconds of the epoch; at once when it does not say."""
        try:
            payload = token.split(".")[1]
            padded = payload + "=" * (-len(payload) % 4)
            return float(json.loads(base64.urlsafe_b64decode(padded))["exp"])
        except (IndexError, KeyError, TypeError, ValueError):
            return 0.0

    def _now(self) -> float:
        return self._clock.now().timestamp()


@dataclass(frozen=True)
class _Pair:
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)


def bearer(token: str) -> str:
    """The proof that a token is."""
    return f"Bearer {token}"


def _object(told: Any, name: str) -> dict[str, Any]:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, dict) else {}


def _text(told: Any, name: str) -> str:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, str) or not value:
        raise InvalidInput(
            f"the posemesh network answers without {name}",
            remedy="have the operator look at API_URL and DDS_URL",
            code="DOMAIN_PROTOCOL",
        )
    return value
