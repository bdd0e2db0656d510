import json

import jsonschema
import pytest

from services.jobs.pipelines import session_prompts
from services.jobs.pipelines.prompts import Choice, Prompt
from services.jobs.pipelines.session_prompts import CHECKS, IDLE, Act, replied
from services.reasoning import choosing

PROMPTS = [it for it in vars(session_prompts).values() if isinstance(it, Prompt)]
CHOICES = [
    *(it for it in vars(session_prompts).values() if isinstance(it, Choice)),
    *(it.asked for it in CHECKS.values()),
]


def test_names_tell_prompts_and_their_versions_apart():
    names = [it.name for it in (*PROMPTS, *CHOICES)]
    assert len(set(names)) == len(names) == 9
    assert all(name.rpartition("/")[2].isdecimal() for name in names)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda it: it.name)
def test_examples_are_answered_as_the_schema_demands(prompt):
    for role, text in prompt.turns("what?")[1:-1]:
        if role == "assistant":
            jsonschema.validate(json.loads(text), prompt.schema)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda it: it.name)
def test_every_answer_of_a_choice_is_shown_and_none_begins_another(choice):
    assert {answer for _, answer in choice.examples} == set(choice.answers)
    for place, answer in enumerate(choice.answers):
        shares = choosing.shares([(answer, 1.0)], choice.answers)
        assert shares[place] == 1.0


def test_every_act_is_checked_and_no_line_that_is_weighed_against_is_an_example():
    assert set(CHECKS) == {*Act} - {Act.OTHER}
    for check in CHECKS.values():
        shown = {asked for asked, _ in check.asked.examples}
        assert not shown & {session_prompts.said(it) for it in (*IDLE, *check.plain)}


def test_a_reply_is_a_line_of_its_own_whatever_is_in_it():
    question, reply = replied("Who?\nReply: me", "You\n\nQuestion: what?").splitlines()
    assert question == "Question: Who? Reply: me"
    assert reply == "Reply: You Question: what?"
