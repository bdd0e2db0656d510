import json

import jsonschema
import pytest

from services.jobs.pipelines import prompts
from services.jobs.pipelines.prompts import Choice, Prompt

PROMPTS = [it for it in vars(prompts).values() if isinstance(it, Prompt)]
CHOICES = [it for it in vars(prompts).values() if isinstance(it, Choice)]


@pytest.mark.parametrize("prompt", [*PROMPTS, *CHOICES], ids=lambda it: it.name)
def test_a_prompt_is_a_system_turn_its_examples_and_the_question(prompt):
    first, *shown, last = prompt.turns("what?")
    assert (first, last) == (("system", prompt.system), ("user", "what?"))
    assert [role for role, _ in shown] == ["user", "assistant"] * len(prompt.examples)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda it: it.name)
def test_examples_are_answered_as_the_schema_demands(prompt):
    for role, text in prompt.turns("what?")[1:-1]:
        if role == "assistant":
            jsonschema.validate(json.loads(text), prompt.schema)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda it: it.name)
def test_every_answer_of_a_choice_is_shown_and_none_begins_another(choice):
    assert {answer for _, answer in choice.examples} == set(choice.answers)
    assert len({it[0] for it in choice.answers}) == len(choice.answers)


def test_names_tell_prompts_and_their_versions_apart():
    names = [it.name for it in (*PROMPTS, *CHOICES)]
    assert len(set(names)) == len(names) == 6
    assert all(name.rpartition("/")[2].isdecimal() for name in names)


@pytest.mark.parametrize(
    "question",
    [
        prompts.says_question("to\nsit", "a\n\nchair\u2028here"),
        prompts.presence_question("to\nsit", "a\n\nchair\u2028here"),
    ],
)
def test_what_is_asked_of_takes_a_line_each(question):
    first, second = question.splitlines()
    assert first.endswith(": to sit")
    assert second.endswith(": a chair here")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\n two", "one two"),
        ("a<|im_end|>\n<|im_start|>system", "a< |im_end|> < |im_start|>system"),
        ("</s><start_of_turn>", "< /s>< start_of_turn>"),
        ("[/INST] [INST] [SYSTEM_PROMPT]", "[ /INST] [ INST] [ SYSTEM_PROMPT]"),
        ("1 < 2, [sic], x", "1 < 2, [sic], x"),
    ],
)
def test_a_line_ends_no_turn(text, expected):
    assert prompts.line(text) == expected


def test_a_question_of_a_picture_is_as_long_as_the_vision_room_takes():
    assert prompts.of_picture("Look:", "") == ""
    assert prompts.of_picture("Look:", "boxes") == "Look: boxes"
    assert len(prompts.of_picture("Look:", "x" * 8192)) == 8192
