import base64
import re
from datetime import UTC, datetime

import jsonschema
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import MessageToDict
from mesh.jobs.v1 import job_pb2
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from gateway.bridge.dialects import dialects, sockets
from gateway.bridge.session import Code
from gateway.envoy import contract
from gateway.openapi import documentation
from gateway.openapi.contract import Contract
from gateway.openapi.document import build
from gateway.openapi.schemas import components
from tests.doubles import rooms
from tests.doubles.conversations import tell

DIALECTS = dialects()
SOCKETS = sockets()
DOCUMENT = build(FileDescriptorSet.FromString(contract.load()), DIALECTS, SOCKETS)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{verb.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for verb, operation in operations.items()
}


def parameters(operation):
    return {it["name"]: it for it in OPERATIONS[operation]["parameters"]}


def body(operation):
    return OPERATIONS[operation]["requestBody"]["content"]


def answer(operation):
    return OPERATIONS[operation]["responses"]["200"]["content"]


def check(value, schema):
    jsonschema.Draft202012Validator(schema | {"components": {"schemas": SCHEMAS}}).validate(value)


def test_it_is_openapi():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_call_over_http_is_in_it_and_no_other():
    ours = {f"{verb} {path}" for _, verb, path, _ in rooms.BINDINGS}
    theirs = {f"{route.verb} {route.path}" for dialect in DIALECTS for route in dialect.routes}
    assert ours.isdisjoint(theirs)
    assert set(OPERATIONS) == ours | theirs


def test_every_socket_is_in_it_with_a_sentence_and_every_code():
    told = DOCUMENT["x-websockets"]
    assert set(told["sockets"]) == {it.path for it in SOCKETS}
    assert all(len(it["description"]) > 40 for it in told["sockets"].values())
    assert "num_predict" in told["sockets"]["/api/v1/ws"]["query"]
    assert set(told["codes"]) == {str(it.value) for it in Code}


def test_everything_has_a_sentence():
    for name, operation in OPERATIONS.items():
        assert operation["summary"], name
        assert operation["description"], name
    for tag in DOCUMENT["tags"]:
        assert tag["description"], tag
    for name, schema in SCHEMAS.items():
        assert schema["description"], name
        if name.split(".")[0] in ("jobs", "vision", "reasoning", "audio", "types"):
            for field, inner in schema.get("properties", {}).items():
                assert inner["description"], f"{name}.{field}"


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda it: it.name)
def test_no_two_shapes_of_a_dialect_share_a_name(dialect):
    shapes = {
        shape
        for route in dialect.routes
        for shape in (route.body, route.form, route.told)
        if isinstance(shape, type)
    }
    named = [TypeAdapter(shape).json_schema().get("title") for shape in shapes]
    assert len(named) == len(set(named))


def test_the_rules_of_the_contract_are_told():
    page_size = parameters("GET /mesh/v1/jobs")["page_size"]["schema"]
    assert (page_size["minimum"], page_size["maximum"]) == (0, 1000)
    in_path = parameters("GET /mesh/v1/jobs/{id}")["id"]
    assert (in_path["required"], in_path["schema"]["format"]) == (True, "uuid")
    created = SCHEMAS["jobs.CreateJobRequest"]
    assert created["required"] == ["type", "input"]
    assert created["properties"]["type"]["maxLength"] == 64
    assert SCHEMAS["types.Message"]["properties"]["parts"]["maxItems"] == 128
    assert SCHEMAS["types.Message"]["required"] == ["role", "parts"]
    top_p = SCHEMAS["types.Sampling"]["properties"]["top_p"]
    assert (top_p["exclusiveMinimum"], top_p["maximum"]) == (0, 1)
    assert {"required": ["vlm_only"]} in SCHEMAS["jobs.JobInput"]["oneOf"]


def test_what_stands_in_the_path_is_not_asked_for_in_the_body():
    (content,) = body("POST /mesh/v1/jobs/{id}:retry").values()
    assert "id" not in content["schema"]["properties"]
    assert "input" in content["schema"]["properties"]


def test_raw_bodies_and_streams_are_what_they_are():
    upload = "POST /mesh/v1/vision:describeUpload"
    assert list(body(upload)) == ["*/*"]
    assert {"prompt", "sampling.max_tokens"} <= set(parameters(upload))
    assert list(answer("GET /mesh/v1/jobs/{id}:watch")) == ["text/event-stream"]
    assert list(answer("GET /mesh/v1/media/{id}")) == ["*/*"]


def test_a_job_in_the_edges_json_is_of_the_shape_that_is_told():
    made = job_pb2.Job(id="x", type="caption_v1", state=job_pb2.JOB_STATE_COMPLETED)
    made.create_time.FromDatetime(datetime(2025, 10, 11, tzinfo=UTC))
    made.input.caption_v1.images.add(data=b"pixels", id="a")
    made.output.caption_v1.captions.add(text="An aisle.", image_id="a").offset.seconds = 3
    told = MessageToDict(made, preserving_proto_field_name=True)
    check(told, SCHEMAS["jobs.Job"])
    with pytest.raises(jsonschema.ValidationError):
        check(told | {"state": "RUNNING"}, SCHEMAS["jobs.Job"])


def test_what_a_dialect_takes_is_what_it_tells():
    generation = SCHEMAS["vlm_server.Generation"]
    check({"messages": [{"role": "user", "content": "x"}]}, generation)
    with pytest.raises(jsonschema.ValidationError):
        check({"messages": []}, generation)
    assert list(body("POST /vision/frame")) == ["multipart/form-data"]
    assert parameters("GET /api/v1/jobs")["limit"]["required"] is True
    assert answer("GET /api/v1/jobs")["application/json"]["schema"]["type"] == "array"
    refusal = OPERATIONS["GET /api/v1/jobs"]["responses"]["default"]["content"]
    assert list(refusal) == ["text/plain"]


def served(path):
    (route,) = (it for it in documentation.of(DIALECTS, SOCKETS).routes if it.path == path)
    asked, response = tell(route.answer(None))
    assert asked == []
    return response


def test_the_page_names_every_call_and_asks_nobody_else():
    response = served("/docs")
    page = response.body.decode()
    for operation in OPERATIONS.values():
        assert f'id="{operation["operationId"]}"' in page
    for name in SCHEMAS:
        assert f'id="{name}"' in page
    for socket in SOCKETS:
        assert f'id="ws:{socket.path}"' in page
    targets = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert set(targets) - {"/openapi.json"} <= {f"#{name}" for name in SCHEMAS}
    assert "<script" not in page
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_what_the_page_tells_is_escaped():
    hostile = "<script>`<b>`</script>"
    page = documentation.render(DOCUMENT | {"info": DOCUMENT["info"] | {"description": hostile}})
    assert "&lt;script&gt;<code>&lt;b&gt;</code>&lt;/script&gt;" in page


def test_bytes_are_told_as_base64():
    data = SCHEMAS["types.Image"]["properties"]["data"]
    assert (data["type"], data["contentEncoding"]) == ("string", "base64")
    check({"data": base64.b64encode(b"x").decode()}, SCHEMAS["types.Image"])


def test_numbers_beyond_those_of_json_are_told_as_digits():
    every = components(Contract(FileDescriptorSet.FromString(contract.load())))
    told = every["audio.AudioAcknowledged"]
    message = rooms.message("mesh.audio.v1.AudioAcknowledged", offset=2**60)
    check(MessageToDict(message, preserving_proto_field_name=True), told)
    assert told["properties"]["offset"]["format"] == "int64"
