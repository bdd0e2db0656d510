import json
from typing import Any

import pytest

from services.chassis.errors import InvalidInput
from services.reasoning.schema import Misfit, Schema

COUNT = {"type": "integer"}


def of(properties: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "object", "properties": properties, **more})


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        of({"a": {"type": "number of boxes"}}),
        of({"a": COUNT}, required="a"),
        of({"a": {"minimum": "low"}}),
    ],
)
def test_a_schema_that_is_none_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Schema(text)
    assert refused.value.violations[0].field == "json_schema"
    assert refused.value.code == "SCHEMA_INVALID"


def test_an_answer_is_held_against_what_a_reference_means() -> None:
    schema = Schema(of({"a": {"$ref": "#/$defs/count"}}, **{"$defs": {"count": COUNT}}))
    assert schema.read('{"a": 3}') == {"a": 3}
    with pytest.raises(Misfit, match=r"\$\.a"):
        schema.read('{"a": "three"}')


def test_an_older_draft_is_read_by_its_own_rules() -> None:
    draft = "http://json-schema.org/draft-07/schema#"
    schema = Schema(
        of({"a": {"$ref": "#/definitions/n"}}, definitions={"n": COUNT}, **{"$schema": draft})
    )
    assert schema.read('{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}```\n"])
def test_an_answer_in_a_fence_is_read_as_what_is_in_it(fence):
    answer = fence.replace("{}", '{"a": 1}')
    assert Schema(of({"a": COUNT})).read(answer) == {"a": 1}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "not json",
        '{"a": 1} and more',
        '```json\n{"a": 1}\n``` and more',
        "```json\n[1]\n```",
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
