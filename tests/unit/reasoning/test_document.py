import json
from typing import Any

import pytest

from services.chassis.errors import InvalidInput
from services.reasoning.document import read_document

COUNT = {"type": "integer"}


def of(properties: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, **more})


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def doubling(times: int) -> dict[str, Any]:
    """Each level means the one below twice."""
    levels = {"d0": COUNT}
    for number in range(times):
        below = {"$ref": f"#/$defs/d{number}"}
        levels[f"d{number + 1}"] = {"allOf": [below, below]}
    return {"$defs": levels}


BAD = {
    "not JSON": "{",
    "NaN": "NaN",
    "no object": "[]",
    "a boolean": "true",
    "no type": "{}",
    "another type": '{"type": "array"}',
    "a remote reference": of({"a": {"$ref": "http://127.0.0.1:1/schema.json"}}),
    "a file": of({"a": {"$ref": "file:///etc/passwd"}}),
    "a reference by name": of({"a": {"$ref": "other.json#/x"}}),
    "a remote dynamic reference": of({"a": {"$dynamicRef": "http://127.0.0.1:1/"}}),
    "a remote reference in a list": of({}, anyOf=[{"$ref": "http://127.0.0.1:1/"}]),
    "a reference to nowhere": of({"a": {"$ref": "#/$defs/none"}}),
    "a reference to an anchor": of({"a": {"$ref": "#anchor"}}),
    "a reference that is no text": of({"a": {"$ref": 7}}),
    "a reference to the root": of({"a": {"$ref": "#"}}),
    "a reference to itself": of({"a": {"$ref": "#/properties/a"}}),
    "references in a circle": of(
        {"x": {"$ref": "#/$defs/a"}},
        **{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    ),
    "a tree": of(
        {"a": {"$ref": "#/$defs/t"}}, **{"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}}
    ),
    "references that double": of({"a": {"$ref": "#/$defs/d40"}}, **doubling(40)),
    "rules beside a reference": of(
        {"a": {"$ref": "#/$defs/n", "minimum": 1}}, **{"$defs": {"n": COUNT}}
    ),
    "unevaluated properties": of({}, unevaluatedProperties=False),
    "a pattern": of({"a": {"type": "string", "pattern": "(a+)+$"}}),
    "a pattern of names": of({}, patternProperties={"(a+)+$": COUNT}),
    "too deep": of({"a": nested(70)}),
    "far too deep for the reader": "[" * 60_000,
    "too many values": of({str(number): COUNT for number in range(4_000)}),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_schema_that_cannot_be_used_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_document(text)
    assert refused.value.violations[0].field == "json_schema"
    assert refused.value.code == "SCHEMA_INVALID"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "name", ["pattern", "patternProperties", "$ref", "properties", "enum", "type"]
)
def test_a_property_may_be_called_what_a_keyword_is_called(name: str) -> None:
    text = of({name: {"type": "string"}})
    assert read_document(text) == json.loads(text)


def test_references_are_replaced_by_what_they_mean() -> None:
    counted = {"$ref": "#/$defs/a~1b", "description": "how many"}
    document = read_document(of({"a": counted, "b": counted}, **{"$defs": {"a/b": COUNT}}))
    meant = {"type": "integer", "description": "how many"}
    assert document == {"type": "object", "properties": {"a": meant, "b": meant}}


def test_references_that_double_a_little_are_followed() -> None:
    document = read_document(of({"a": {"$ref": "#/$defs/d5"}}, **doubling(5)))
    assert json.dumps(document).count("integer") == 32


def test_data_within_a_schema_is_no_schema() -> None:
    text = of({"a": {"const": {"$ref": "nowhere", "pattern": "x"}}})
    assert read_document(text) == json.loads(text)


def test_properties_keep_the_order_in_which_they_are_written() -> None:
    document = read_document(of({"zebra": COUNT, "ant": COUNT, "mole": COUNT}))
    assert list(document["properties"]) == ["zebra", "ant", "mole"]
