import json
from dataclasses import replace

import pytest

from bench.quality.dialogues import hearing
from bench.quality.dialogues.methods import Ceiling, Original, Ours, Rule
from bench.quality.dialogues.scores import Found, f1, score
from bench.quality.dialogues.scripts import Kind, Point, Script, Sentence, Turn, script
from bench.quality.minds import Cost
from services.chassis.errors import InvalidInput
from services.jobs.pipelines.session_prompts import ACT_V3, IDLE, Act

TASK = "order two new freezers"
SAID = Script(
    0,
    ("Anna", "Tom"),
    (
        Turn("Anna", (Sentence("It rained."), Sentence(f"Tom, please {TASK}.", Act.REQUEST))),
        Turn("Tom", (Sentence("The ladder might break.", Act.DANGER),)),
    ),
    (Point(Kind.ACTION, TASK, "Tom"), Point(Kind.RISK, "The ladder might break.")),
)


class Writer:
    def __init__(self, said):
        self.said = said
        self.asked = []
        self.cost = Cost()

    async def write(self, turns, *, most_tokens):
        self.asked.append(turns)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Yes:
    """Agrees to everything."""

    cost = Cost()

    async def choose(self, turns, answers):
        asked = turns[-1][1].removeprefix("Line: ")
        if answers == ACT_V3.answers:
            act = Act.OTHER if asked in IDLE else Act.DECISION
            return [float(it == act) for it in answers]
        no = asked in IDLE or "rained" in asked
        return [float(not no), float(no)]


def test_a_script_is_read_word_by_word_without_overlap():
    made = hearing.read(SAID)
    first, second = made.transcript.segments
    assert first.text == "".join(it.text for it in first.words)
    assert first.speaker == "S1"
    assert made.names == {"S1": "Anna", "S2": "Tom"}
    assert first.words[0].start_seconds == first.start_seconds == 0.0
    assert first.words[-1].end_seconds == first.end_seconds < second.start_seconds


@pytest.mark.parametrize("seed", range(6))
async def test_a_perfect_judge_misses_nothing_that_is_asked_or_said(seed):
    made = hearing.read(script(seed, held_out=True, minutes=(1, 5)))
    answer = await Ceiling().find(made)
    scored = score(made.script, made.names, answer)
    assert all(scored.tallies[it].missed == 0 for it in (Kind.ACTION, Kind.DECISION, Kind.RISK))
    assert f1([scored], Kind.DECISION) == f1([scored], Kind.RISK) == 1.0
    assert answer.cited == answer.cited_well > 0


async def test_claims_that_the_check_refuses_are_counted_before_and_gone_after():
    answer = await Ours(Yes()).find(hearing.read(SAID))
    assert (answer.claims, answer.dropped) == (3, 1)
    assert [it.kind for it in answer.found] == [Kind.DECISION, Kind.DECISION]
    assert (answer.cited, answer.cited_well) == (2, 2)


async def test_one_prompt_is_asked_of_all_that_was_said_and_read_generously():
    told = {
        "summary": "s",
        "action_items": [{"title": "Order freezers", "owner": "Tom", "steps": ["two new"]}, "mop"],
        "decisions": None,
        "risks": ["The ladder might break"],
    }
    mind = Writer(f"Here it is:\n```json\n{json.dumps(told)}\n``` Enjoy.")
    answer = await Original(mind).find(hearing.read(SAID))
    assert [it.kind for it in answer.found] == [Kind.ACTION, Kind.ACTION, Kind.RISK]
    assert answer.found[0].owner == "Tom"
    assert "two new" in answer.found[0].text
    assert answer.cost.fitting == answer.cost.asked == 1
    [[(_, prompt)]] = mind.asked
    assert f"S1: It rained. Tom, please {TASK}." in prompt


@pytest.mark.parametrize("said", ["I cannot.", '{"action_items": [{"ti', '["a"]', "} {"])
async def test_an_answer_that_cannot_be_read_finds_nothing(said):
    answer = await Original(Writer(said)).find(hearing.read(SAID))
    assert (list(answer.found), answer.cost.asked, answer.cost.fitting) == ([], 1, 0)


async def test_a_prompt_that_is_too_long_is_counted():
    too_long = Writer(InvalidInput("too long"))
    assert (await Original(too_long).find(hearing.read(SAID))).cost.too_long == 1


async def test_the_rule_goes_by_cues():
    answer = await Rule().find(hearing.read(SAID))
    assert answer.found == [
        Found(Kind.ACTION, f"Tom, please {TASK}.", "Tom"),
        Found(Kind.RISK, "The ladder might break."),
    ]


async def test_a_perfect_judge_knows_what_was_meant_by_what_was_misheard():
    made = hearing.read(SAID)
    heard = [
        replace(it, text=it.text.replace("freezers", "frieses")) for it in made.transcript.segments
    ]
    misheard = replace(made, transcript=replace(made.transcript, segments=tuple(heard)))
    answer = await Ceiling().find(misheard)
    assert [(it.kind, it.owner) for it in answer.found] == [(Kind.RISK, ""), (Kind.ACTION, "Tom")]
    assert "frieses" in answer.found[1].text
