"""What the edge is told: where it listens, where the rooms are, whose keys it believes. It refuses
an edge that the world could use without a key.
"""

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode, SettingsConfigDict

from services.chassis.config import Config

Address = Annotated[str, Field(pattern=r"^[^:\s]+:\d{1,5}$")]

ANY_ORIGIN: Final = "*"
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^\s/?#,*]+)$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$"), AfterValidator(str.lower)]

SECRET_MEMBERS: Final = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
"""The members of a JSON Web Key that only its owner may have."""


def host_of(address: str) -> str:
    """The IP address that `host:port` names; `localhost` is one too."""
    host = address.rpartition(":")[0]
    return "127.0.0.1" if host == "localhost" else host


def _ip(address: str) -> str:
    try:
        ipaddress.ip_address(host_of(address))
    except ValueError:
        raise _refusal(
            f"{address} must be an IP address and a port: Envoy binds no names"
        ) from None
    return address


def _refusal(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


def _split(text: object) -> object:
    return (
        [it for part in text.split(",") if (it := part.strip())] if isinstance(text, str) else text
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(host_of(address)).is_loopback


def _public_keys(file: Path) -> str:
    try:
        keys = json.loads(file.read_text())["keys"]
        secret = any(SECRET_MEMBERS & key.keys() for key in keys)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _refusal(f'{file} must be a readable JSON Web Key Set: {{"keys": [...]}}') from None
    if not keys:
        raise _refusal(f"{file} holds no key, so nobody could come in")
    if secret:
        raise _refusal(f"{file} holds a secret key; give Envoy the public ones only")
    return json.dumps({"keys": keys})


class GatewayConfig(Config):
    """What the edge is told."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: Annotated[Address, AfterValidator(_ip)] = "127.0.0.1:8080"
    """The address of the edge, as IP:port: REST, gRPC and WebSockets on one port."""
    admin_listen: Annotated[Address, AfterValidator(_ip)] = "127.0.0.1:9901"
    """Envoy's own administration, as IP:port; it must be on loopback, for it can stop the edge."""
    jobs_target: Address
    """Where the jobs room serves gRPC, as host:port. A name is resolved again and again."""
    vision_target: Address
    """Where the vision room serves gRPC, as host:port."""
    reasoning_target: Address
    """Where the reasoning room serves gRPC, as host:port."""
    audio_target: Address
    """Where the audio room serves gRPC, as host:port."""
    bridge_target: Address
    """Where the bridge serves HTTP and WebSockets, as host:port."""
    otlp_target: Address | None = None
    """Where an OpenTelemetry collector takes traces by gRPC, as host:port. Empty: no traces."""
    allow_anonymous: bool = False
    """Lets the edge listen beyond loopback without keys: whoever reaches the port may do
    everything. Meant for a container whose port is published on loopback only.
    """
    jwks_file: Path | None = Field(default=None, validate_default=True)
    """The public keys that sign the callers' keys, as a JSON Web Key Set. Empty: no key is asked
    for, and every caller is of the default tenant.
    """

    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = ()
    """The origins whose pages may call the mesh from a browser, such as `https://app.example`,
    separated by commas; `*` stands for every one. Empty: pages served from loopback alone, which
    always may, as those may that come from the name by which the mesh is called.
    """

    hosts: Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_split)] = ()
    """Names with a dot by which an edge without keys is called, such as `mesh.home.example`,
    separated by commas. It answers to addresses and to names without a dot anyway, and to no
    others: a page could have a name of its own lead here. With keys it answers to every name.
    """

    @field_validator("admin_listen")
    @classmethod
    def _stay_inside(cls, address: str) -> str:
        if not _is_loopback(address):
            raise _refusal(
                f"{address} is not on loopback, and whoever reaches it can stop the edge"
            )
        return address

    @field_validator("jwks_file")
    @classmethod
    def _demand_keys(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        known: dict[str, Any] = info.data
        listen = known.get("listen")
        if file is not None:
            _public_keys(file)
        elif listen and not _is_loopback(listen) and not known.get("allow_anonymous"):
            raise _refusal(
                f"listening beyond loopback, on {listen}, demands keys: name the file of public"
                " keys here, or listen on 127.0.0.1, or set GATEWAY_ALLOW_ANONYMOUS=true if nobody"
                " but you can reach the port"
            )
        return file

    def public_keys(self) -> str | None:
        """The key set as JSON text; None when no keys are asked for."""
        return None if self.jwks_file is None else _public_keys(self.jwks_file)
