"""The one guard before every address that a stranger names: a picture to fetch, a webhook to call.

A name is resolved once, everything that it resolves to is checked, and the connection goes to what
was checked, so that no second answer of a name server can lead it elsewhere. It knows neither what
is fetched nor who asks.
"""

import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Address = IPv4Address | IPv6Address

_PORTS_BELOW_1024 = (80, 443)
"""Below 1024 live mail, name and file servers, which nobody shall reach through the mesh."""
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV6_UNICAST = IPv6Network("2000::/3")
"""All that is given out of IPv6 to be reached by everybody."""
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressRefused(aiohttp.ClientError):
    """The guard lets nobody go there. It names no address, which may be one of the inside."""


def parsed(address: str, *, base: URL | None = None) -> URL:
    """Read an address that a stranger names, from `base` on where it redirects.

    Raises `AddressRefused` for one of another form than `http://host/path`, and for one that
    carries a name or a password.
    """
    # One that is in its final form is kept to the letter: a signature may hang on each.
    final = re.fullmatch(r"[!-~]+", address) is not None
    try:
        url = URL(address, encoded=final)
        if base is not None:
            url = base.join(url)
        reachable = url.scheme in ("http", "https") and url.raw_host and url.port
    except ValueError:
        raise AddressRefused("it cannot be read") from None
    if not reachable:
        raise AddressRefused("only http and https are spoken")
    if url.raw_user is not None or url.raw_password is not None:
        raise AddressRefused("it may not carry a name or a password")
    return url


class Guard:
    """Lets requests go to public addresses, and to hosts and networks that the operator allows.

    `allowed` holds names (`media.example.com`), names with all below them (`.example.com`) and
    networks (`10.1.0.0/16`, `10.1.2.3`). Raises `ValueError` for what is none of these.
    """

    def __init__(
        self, allowed: Iterable[str] = (), *, resolver: AbstractResolver | None = None
    ) -> None:
        entries = [it.strip().lower() for it in allowed]
        self._networks = [ip_network(it, strict=False) for it in entries if _is_network(it)]
        self._names = [_name(it) for it in entries if not _is_network(it)]
        self._resolver = resolver

    def session(self, *, timeout: aiohttp.ClientTimeout, connections: int) -> aiohttp.ClientSession:
        """Open a session whose requests go through the guard; who takes it closes it.

        It keeps no cookies and takes no proxy from the environment. A request, also one that
        follows a redirect, raises `AddressRefused` before anything is sent.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckedResolver(self, self._resolver or aiohttp.ThreadedResolver()),
                use_dns_cache=False,
                limit=connections,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(self._check_request,),
            timeout=timeout,
            trust_env=False,
        )

    def allows(self, host: str, address: Address) -> bool:
        """Tell whether a connection to `address`, found under the name `host`, may be made."""
        return (
            self._names_host(host)
            or any(address in it for it in self._networks)
            or is_public(address)
        )

    def check(self, url: URL) -> None:
        """Raise `AddressRefused` for what is refused whatever its name resolves to."""
        host = url.raw_host or ""
        if not self._names_host(host):
            self._check_host(host, url.port or 0)

    def trusts(self, url: URL) -> bool:
        """Tell whether the operator allows the host itself, by its name or its address."""
        host = url.raw_host or ""
        try:
            address = ip_address(host)
        except ValueError:
            return self._names_host(host)
        return any(address in it for it in self._networks)

    async def _check_request(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        self.check(request.url)
        return await handler(request)

    def _check_host(self, host: str, port: int) -> None:
        # What the client takes for an address never comes to the resolver.
        if ":" in host or host.replace(".", "").isdigit():
            try:
                address = ip_address(host)
            except ValueError:
                raise AddressRefused("the host is not in the usual form") from None
            if not self.allows(host, address):
                raise AddressRefused("the address is not public")
            if any(address in it for it in self._networks):
                return
        if port < 1024 and port not in _PORTS_BELOW_1024:
            raise AddressRefused("the port is not one of the web's")

    def _names_host(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return any(name == it or (it.startswith(".") and name.endswith(it)) for it in self._names)


class _CheckedResolver(AbstractResolver):
    """Refuses a name when anything that it resolves to is refused."""

    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(self._guard.allows(host, ip_address(it["host"])) for it in found):
            raise AddressRefused("the address is not public")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, whatever it is wrapped in."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address not in _IPV6_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


def _name(entry: str) -> str:
    labels: Sequence[str] = entry.strip(".").split(".")
    if not all(it and it.replace("-", "").replace("_", "").isalnum() for it in labels):
        raise ValueError(f"{entry!r} is neither a host name nor a network")
    return entry.rstrip(".")
