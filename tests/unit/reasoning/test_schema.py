import json
from typing import Any

import pytest

from services.chassis.errors import InvalidInput
from services.reasoning.schema import Misfit, Schema

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
    "an unknown type": of({"a": {"type": "number of boxes"}}),
    "a required that is no list": of({"a": COUNT}, required="a"),
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
        Schema(text)
    assert refused.value.violations[0].field == "json_schema"
    assert refused.value.code == "SCHEMA_INVALID"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "name", ["pattern", "patternProperties", "$ref", "properties", "enum", "type"]
)
def test_a_property_may_be_called_what_a_keyword_is_called(name: str) -> None:
    assert Schema(of({name: {"type": "string"}})).read(json.dumps({name: "x"})) == {name: "x"}


def test_references_within_the_schema_are_followed() -> None:
    schema = Schema(of({"a": {"$ref": "#/$defs/count"}}, **{"$defs": {"count": COUNT}}))
    assert schema.read('{"a": 3}') == {"a": 3}
    with pytest.raises(Misfit, match=r"\$\.a"):
        schema.read('{"a": "three"}')


def test_references_are_replaced_by_what_they_mean() -> None:
    counted = {"$ref": "#/$defs/a~1b", "description": "how many"}
    schema = Schema(of({"a": counted, "b": counted}, **{"$defs": {"a/b": COUNT}}))
    meant = {"type": "integer", "description": "how many"}
    assert schema.document == {"type": "object", "properties": {"a": meant, "b": meant}}


def test_references_that_double_a_little_are_followed() -> None:
    schema = Schema(of({"a": {"$ref": "#/$defs/d5"}}, **doubling(5)))
    assert schema.read('{"a": 3}') == {"a": 3}


def test_data_within_a_schema_is_no_schema() -> None:
    odd = {"$ref": "nowhere", "pattern": "x"}
    assert Schema(of({"a": {"const": odd}})).read(json.dumps({"a": odd})) == {"a": odd}


def test_an_older_draft_is_read_by_its_own_rules() -> None:
    draft = "http://json-schema.org/draft-07/schema#"
    schema = Schema(
        of({"a": {"$ref": "#/definitions/n"}}, definitions={"n": COUNT}, **{"$schema": draft})
    )
    assert schema.read('{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "not json",
        '{"a": 1} and more',
        '```json\n{"a": 1}\n```',
        '{"a": 1',
        "[]",
        "7",
        "null",
        '{"a": "1"}',
        '{"b": 1}',
        '{"a": NaN}',
        '{"a": 1, "b": Infinity}',
        '{"a": 1, "b": 1e999}',
        '{"a": 1' + "0" * 400 + "}",
        '{"a": 1' + "0" * 5_000 + "}",
        '{"a": 1, "b": "\\ud800"}',
        '{"a": 1, "b": ' + "[" * 30 + "]" * 30 + "}",
        '{"a": ' + "[" * 60_000,
    ],
)
def test_an_answer_that_does_not_fit_is_a_misfit_and_nothing_else(answer: str) -> None:
    with pytest.raises(Misfit):
        Schema(of({"a": COUNT}, required=["a"])).read(answer)


def test_a_misfit_says_where_and_why_but_not_what() -> None:
    with pytest.raises(Misfit) as misfit:
        Schema(of({"a": {"type": "array", "items": COUNT}})).read('{"a": [1, "secret"]}')
    assert str(misfit.value) == "$.a[1] breaks the rule `type`"
