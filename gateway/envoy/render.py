"""The whole of Envoy's configuration as YAML: the template filled from the configuration, the
contract and the limits. It stands alone: no file beside it is needed at run time.
"""

import base64
import re
from pathlib import Path
from typing import Any, Final

import jinja2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.bridge.dialects import dialects, sockets
from gateway.bridge.exchange import Route
from gateway.envoy import contract, replies
from gateway.envoy.config import ANY_ORIGIN, GatewayConfig, host_of
from services.chassis import limits, names

HERE: Final = Path(__file__).parent
WANTS_SOCKET: Final = {
    "name": "upgrade",
    "string_match": {"exact": "websocket", "ignore_case": True},
}
"""Matches a request for a WebSocket."""

LASTING: Final = {
    "/mesh.audio.v1.AudioService/TranscribeUpload": limits.RECORDING_DEADLINE,
}
"""Calls with one answer that may take longer than others, by their gRPC paths."""

SESSIONS: Final = "/mesh.audio.v1.AudioService/Transcribe"
"""The call whose sessions live in the memory of one replica."""

OPENAI_HEADERS: Final = [
    "openai-organization",
    "openai-project",
    *(
        f"x-stainless-{it}"
        for it in (
            *("arch", "helper-method", "lang", "os", "package-version", "poll-helper"),
            *("retry-count", "runtime", "runtime-version", "timeout"),
        )
    ),
]
"""What OpenAI's client sends of itself, in browsers too; nothing here reads it."""


def render(config: GatewayConfig) -> str:
    """Fill the template. Raises nothing that a checked configuration could cause."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it is YAML, and every value goes through the `yaml` filter
    )
    environment.filters["yaml"] = environment.filters["tojson"]
    environment.filters["host"] = host_of
    environment.filters["port"] = lambda address: int(address.rpartition(":")[2])
    described = FileDescriptorSet.FromString(contract.load())
    for file in described.file:
        # Comments are for people: they would be four fifths of what Envoy has to read.
        file.ClearField("source_code_info")
    rooms = contract.rooms(described)
    return environment.get_template("envoy.yaml.j2").render(
        config=config,
        any_origin=ANY_ORIGIN,
        rooms=rooms,
        targets={room.name: getattr(config, f"{room.name}_target") for room in rooms},
        sessions=SESSIONS,
        lasting_calls={
            room.name: [
                (path, int(lasts.total_seconds()))
                for path, lasts in LASTING.items()
                if path.startswith(f"/{room.package}.")
            ]
            for room in rooms
        },
        streamed_bodies=contract.streamed_bodies(described),
        public_keys=config.public_keys(),
        sockets=[socket.path for socket in sockets()],
        lasting=[route for dialect in dialects() for route in dialect.routes if _lasts(route)],
        wants_socket=WANTS_SOCKET,
        openai_headers=OPENAI_HEADERS,
        descriptors=base64.b64encode(described.SerializeToString(deterministic=True)).decode(),
        pages=_known(config) + (HERE / "pages.lua").read_text(),
        fields=_tables(described) + (HERE / "fields.lua").read_text(),
        replies=replies.mappers(),
        limits=limits,
        names=names,
        unary_seconds=int(limits.UNARY_DEADLINE.total_seconds()),
        stream_seconds=int(limits.STREAM_DEADLINE.total_seconds()),
    )


def _lasts(route: Route) -> bool:
    return route.lasts > Route.lasts


def _known(config: GatewayConfig) -> str:
    origins = dict.fromkeys(config.cors_origins, "")
    hosts = _lua(dict.fromkeys(config.hosts, "")) if config.public_keys() is None else "nil"
    return f"ORIGINS = {_lua(origins)}\nHOSTS = {hosts}\n"


def _tables(described: FileDescriptorSet) -> str:
    bodies = [
        {"verb": body.verb, "path": _pattern(body.template), "message": body.message}
        for body in contract.bodies(described)
    ]
    tables = {
        "BODIES": bodies,
        "MESSAGES": contract.fields(described),
        "UNREAD_HEADER": replies.UNREAD_HEADER,
        "UNREAD_FIELD": replies.UNREAD_FIELD,
    }
    return "".join(f"{name} = {_lua(value)}\n" for name, value in tables.items())


def _pattern(template: str) -> str:
    literals = re.split(r"\{[^}]*\}", template)
    return "^" + "[^/]+".join(re.sub(r"(\W)", r"%\1", literal) for literal in literals) + "$"


def _lua(value: Any) -> str:
    match value:
        case dict():
            return "{" + ",".join(f"[{_lua(key)}]={_lua(it)}" for key, it in value.items()) + "}"
        case list():
            return "{" + ",".join(map(_lua, value)) + "}"
        case _:
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
