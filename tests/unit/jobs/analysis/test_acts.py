import pytest

from services.jobs.analysis.acts import acts
from services.jobs.analysis.sentences import Sentence
from services.jobs.content import Evidence
from services.jobs.pipelines import session_prompts as prompts
from services.jobs.pipelines.session_prompts import Act

PLAIN = {text: act for act, check in prompts.CHECKS.items() for text in check.plain}
KNOWN = dict.fromkeys(prompts.IDLE, Act.OTHER) | PLAIN
LINE = "We paint the walls."


class Weigher:
    """Takes every line for what `seems` says, of which it bears out what `is_` says."""

    def __init__(self, seems, is_=(), unheard=()):
        self.seems = seems
        self.is_ = dict(is_)
        self.unheard = unheard
        self.asked = []

    async def weigh(self, name, questions):
        self.asked += [(choice.name, it.removeprefix("Line: ")) for choice, it in questions]
        if name in self.unheard:
            return [None] * len(questions)
        return [self._one(choice, it.removeprefix("Line: ")) for choice, it in questions]

    def _one(self, choice, line):
        if choice is prompts.ACT_V3:
            seems = {KNOWN[line]: 0.8} if line in KNOWN else self.seems
            return [seems.get(it, 0.1) for it in choice.answers]
        act = Act(choice.name.partition("/")[0])
        yes = self.is_.get(act, 0.1) if line == LINE else 0.9 if KNOWN.get(line) is act else 0.1
        return [yes, 1 - yes]


def said(*texts):
    return [Sentence(it, "S1", Evidence(it)) for it in texts]


async def test_a_claim_that_is_borne_out_is_kept_and_another_refuted():
    seems = {Act.OTHER: 0.2, Act.DECISION: 0.8}
    kept = await acts(said(LINE), Weigher(seems, {Act.DECISION: 0.9}))
    assert (kept.of, kept.refuted) == ({LINE: Act.DECISION}, frozenset())
    refuted = await acts(said(LINE), Weigher(seems))
    assert (refuted.of, refuted.refuted) == ({}, {LINE})


async def test_of_two_claims_the_one_that_is_borne_out_better_is_kept():
    seems = {Act.OTHER: 0.2, Act.PROMISE: 0.5, Act.DECISION: 0.5}
    found = await acts(said(LINE), Weigher(seems, {Act.PROMISE: 0.8, Act.DECISION: 0.9}))
    assert found.of == {LINE: Act.DECISION}
    assert found.refuted == frozenset()


async def test_what_most_likely_does_nothing_is_no_claim_and_is_not_checked():
    weigher = Weigher({Act.OTHER: 0.5, Act.DANGER: 0.4})
    found = await acts(said(LINE), weigher)
    assert (found.of, found.refuted) == ({}, frozenset())
    assert weigher.asked == [("act/3", LINE)]


@pytest.mark.parametrize("act", [Act.PROMISE, Act.DECISION, Act.DANGER])
async def test_who_asks_something_may_request_and_does_nothing_else(act):
    asked = Weigher({Act.OTHER: 0.2, act: 0.8})
    assert (await acts(said("Should we paint it?"), asked)).of == {}
    assert asked.asked == [("act/3", "Should we paint it?")]


async def test_a_request_may_be_a_question(monkeypatch):
    monkeypatch.setitem(globals(), "LINE", "Could you paint it?")
    weigher = Weigher({Act.OTHER: 0.2, Act.REQUEST: 0.8}, {Act.REQUEST: 0.9})
    assert (await acts(said(LINE), weigher)).of == {LINE: Act.REQUEST}


async def test_what_is_said_again_is_asked_of_once_and_no_question_is_asked_twice():
    seems = {Act.OTHER: 0.2, Act.PROMISE: 0.5, Act.DECISION: 0.5}
    weigher = Weigher(seems, {Act.DECISION: 0.9})
    await acts(said(LINE, LINE, LINE), weigher)
    assert len(weigher.asked) == len(set(weigher.asked))
    assert [it for it in weigher.asked if it[1] == LINE] == [
        ("act/3", LINE),
        ("promise/1", LINE),
        ("decision/1", LINE),
    ]


async def test_what_could_not_be_checked_is_told_as_what_it_seems():
    seems = {Act.OTHER: 0.2, Act.DECISION: 0.8}
    found = await acts(said(LINE), Weigher(seems, unheard=("checks",)))
    assert (found.of, found.refuted) == ({LINE: Act.DECISION}, frozenset())
    assert (await acts(said(LINE), Weigher(seems, unheard=("does",)))).of == {}
