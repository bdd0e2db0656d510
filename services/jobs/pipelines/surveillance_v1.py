"""Finds risks in a series of pictures, or in a video.

Input: what to look out for, and the pictures or the video. Output: what was seen in each, and the
risks, each with its severity and the pictures that it rests on. Steps:

- `sample`, of a video: its frames;
- `analyze/0`, ... what each picture shows, and the risks in it where the vision model can tell;
- where it cannot, of each *distinct sentence* that it said: `claim/0`, ... which hazard it may tell
  of, unless the sender says what to look out for, which is then claimed of each sentence;
  `check/0`, ... of each claim, whether the sentence bears it out; `rate/0`, ... of each that is
  borne out, how bad it is. The sentences stand in the order of their first pictures.

A claim that its sentence does not bear out rests on no picture: it is dropped and counted. So is
one that says nothing. What is left is merged by `risks`.
"""

from collections.abc import Sequence
from itertools import chain

from services.jobs.content import Observation, Risk, Severity, SurveillanceInput, SurveillanceOutput
from services.jobs.domain import Json
from services.jobs.pipelines import judging, prompts, risks, sampling
from services.jobs.pipelines.observing import analyze
from services.jobs.pipelines.work import Work
from services.jobs.ports.rooms import Sight


async def run(given: SurveillanceInput, work: Work) -> SurveillanceOutput:
    """Look at every picture, find the risks, and merge them."""
    images = given.images
    if given.video is not None:
        images = (await sampling.frames(given.video, work)).frames
    question = prompts.of_picture(prompts.LOOK_OUT_V1, given.focus)
    seen, sights = await analyze(images, question, work)
    told, dropped_told = _told_by_vision(sights)
    found, dropped_claimed = await _claimed(seen, sights, given.focus, work)
    shown = [a or b for a, b in zip(told, found, strict=True)]
    merged = risks.merged(shown, seen)
    summary = risks.summary(merged, len(seen))
    return SurveillanceOutput(seen, merged, summary, dropped_told + dropped_claimed)


def _told_by_vision(sights: Sequence[Sight]) -> tuple[list[list[Risk]], int]:
    told = [[risk for risk in it.risks or () if prompts.line(risk.description)] for it in sights]
    count = sum(len(it.risks or ()) for it in sights)
    return told, count - sum(map(len, told))


async def _claimed(
    seen: Sequence[Observation], sights: Sequence[Sight], focus: str, work: Work
) -> tuple[list[list[Risk]], int]:
    """The risks of each picture by what was said of it, and how many claims were dropped."""
    steps, reasoning = work.steps, work.peers.reasoning
    said = [
        judging.sentences(it.text) if sight.risks is None else ()
        for it, sight in zip(seen, sights, strict=True)
    ]
    distinct = list(dict.fromkeys(chain.from_iterable(said)))

    async def claim(sentence: str) -> Json:
        return await judging.hazard_of(reasoning, sentence)

    async def check(claimed: tuple[str, str]) -> Json:
        return await judging.bears_out(reasoning, *claimed)

    async def rate(sentence: str) -> Json:
        return await judging.severity_of(reasoning, sentence)

    if focus:
        hazards = [focus] * len(distinct)
    else:
        hazards = await steps.run_each("claim", distinct, claim, at_once=1, tell=_or_none)
    claims = [(hazard, it) for hazard, it in zip(hazards, distinct, strict=True) if hazard]
    checks = await steps.run_each("check", claims, check, at_once=1, tell=_verdict)
    true = [sentence for (_, sentence), holds in zip(claims, checks, strict=True) if holds]
    rated = await steps.run_each("rate", true, rate, at_once=1, tell=str)
    of_sentence = {
        sentence: Risk(sentence, Severity(severity))
        for sentence, severity in zip(true, rated, strict=True)
    }
    found = [[of_sentence[it] for it in dict.fromkeys(each) if it in of_sentence] for each in said]
    # What the sender looks out for is a question, not a claim.
    return found, 0 if focus else len(claims) - len(true)


def _or_none(hazard: Json) -> str:
    return str(hazard) or "no hazard"


def _verdict(holds: Json) -> str:
    return "it is there" if holds else "it is not there"
