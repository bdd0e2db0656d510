"""Reports on a session that was heard, seen or both.

Input: the recording and when it begins, pictures or a video, and what to pay heed to. Output: what
was said, what was seen, both on one timeline, and what follows: a summary, decisions, open
questions, action items and risks, each with what it rests on, of either sense. What rests on
nothing that exists is dropped and counted. Steps:

- `transcribe`, of the recording, or of the video's sound;
- those of `surveillance_v1`, for what is seen and the risks in it;
- `does/0`, `checks/0`, `answers/0`, `task/0`, `harms/0`, ...: the questions of `analysis`;
- `measure/0`, `recap/0/0`, ...: `summing` of the timeline.

The session's start is that of the recording or the video; else the first picture's time.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.chassis.errors import InvalidInput
from services.jobs import record
from services.jobs.analysis import core as analysis
from services.jobs.analysis.sentences import evidence_of
from services.jobs.content import (
    Evidence,
    Findings,
    FoundRisk,
    Observation,
    RiskFinding,
    SessionReportInput,
    SessionReportOutput,
    Severity,
    SurveillanceInput,
    SurveillanceOutput,
    TimelineEntry,
    Transcript,
)
from services.jobs.domain import Json
from services.jobs.pipelines import session_prompts, surveillance_v1, transcription_v1
from services.jobs.pipelines.citing import cited, text_of
from services.jobs.pipelines.languages import written_in
from services.jobs.pipelines.prompts import Choice, Prompt, line
from services.jobs.pipelines.summing import LINE_CHARS, Recap, summed_up_in_steps
from services.jobs.pipelines.transcription_v1 import STEP
from services.jobs.pipelines.work import Work

_AT_ONCE: Final = 2
_SILENT: Final = "AUDIO_MISSING"
_ROOMS_NAME: Final = "audio: "
"""What the audio room calls what it was sent."""
_ORDER: Final = tuple(Severity)
_NOTHING_SEEN: Final = SurveillanceOutput((), (), "", 0)


async def run(given: SessionReportInput, work: Work) -> SessionReportOutput:
    """Listen, look, and report."""
    transcript = await _heard(given, work)
    watched = await _watched(given, work)
    times = _times(given, watched.observations)
    found = Findings()
    if transcript is not None:
        found = await analysis.findings(transcript, _Recorded(work))
    seen = [_risk(it, watched.observations, times) for it in watched.risks]
    timeline = _timeline(transcript, times)
    language = transcript.language if transcript else ""
    sources = _sources(timeline, transcript, watched.observations)
    sentences, unfounded = cited(await _recap(sources, given.focus, language, work), sources)
    findings = replace(
        found,
        summary=text_of(sentences),
        summary_sentences=sentences,
        risks=tuple(sorted((*found.risks, *seen), key=_badness, reverse=True)),
        dropped_claims=found.dropped_claims + watched.dropped_claims + unfounded,
    )
    return SessionReportOutput(transcript, watched.observations, timeline, findings)


async def _heard(given: SessionReportInput, work: Work) -> Transcript | None:
    if given.recording is not None:
        key, language = given.recording.audio, given.recording.language
    elif given.video is not None:
        key, language = given.video.blob, ""
    else:
        return None

    async def transcribe() -> Json:
        try:
            return record.dump(await transcription_v1.heard(key, language, work))
        except InvalidInput as error:
            if given.recording is None and error.code == _SILENT:
                return None  # A video without sound is a session without sound.
            told = f"recording.{error.message}"
            if given.recording is None:
                told = f"video: {error.message.removeprefix(_ROOMS_NAME)}"
            raise InvalidInput(told, remedy=error.remedy, code=error.code) from error

    await work.steps.plan(STEP)
    told = await work.steps.run(STEP, transcribe, tell=lambda it: it["text"] if it else "")
    return None if told is None else record.load(Transcript, told)


async def _watched(given: SessionReportInput, work: Work) -> SurveillanceOutput:
    if not given.images and given.video is None:
        return _NOTHING_SEEN
    return await surveillance_v1.run(SurveillanceInput("", given.images, given.video), work)


class _Recorded:
    """Asks in recorded steps."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def each(self, name: str, prompt: Prompt, questions: Sequence[str]) -> Sequence[Any]:
        """Answer each question of a kind."""

        async def ask(question: str) -> Json:
            turns = prompt.turns(question)
            return prompt.answer(await self._work.peers.reasoning.extract(turns, prompt.schema))

        return await self._work.steps.run_each(name, questions, ask, at_once=_AT_ONCE, tell=str)

    async def weigh(
        self, name: str, questions: Sequence[tuple[Choice, str]]
    ) -> Sequence[Sequence[float]]:
        """Tell how likely each answer is to each question of a kind."""

        async def weigh(asked: tuple[Choice, str]) -> Json:
            choice, question = asked
            turns = choice.turns(question)
            return list(await self._work.peers.reasoning.choose(turns, choice.answers))

        return await self._work.steps.run_each(name, questions, weigh, at_once=_AT_ONCE)


def _times(given: SessionReportInput, seen: Sequence[Observation]) -> list[float | None]:
    """When each picture was taken, in seconds from the session's start. None: unknown."""
    taken = [it.capture_time for it in seen if it.capture_time is not None]
    start = given.recording_time or min(taken, default=None)

    def time(it: Observation) -> float | None:
        if it.offset_seconds is not None:
            return it.offset_seconds
        return _since(start, it.capture_time)

    return [time(it) for it in seen]


def _since(start: datetime | None, taken: datetime | None) -> float | None:
    return None if start is None or taken is None else (taken - start).total_seconds()


def _timeline(
    transcript: Transcript | None, times: Sequence[float | None]
) -> tuple[TimelineEntry, ...]:
    said = [
        TimelineEntry(it.start_seconds, it.end_seconds, segment_index=place)
        for place, it in enumerate(transcript.segments if transcript else ())
    ]
    seen = [
        TimelineEntry(time, time, observation_index=place)
        for place, time in enumerate(times)
        if time is not None
    ]
    return tuple(sorted((*said, *seen), key=lambda it: it.start_seconds))


async def _recap(sources: Sequence[Evidence], focus: str, language: str, work: Work) -> str:
    if not sources:
        return ""
    recap = Recap(
        session_prompts.RECAP_OF_SPEECH_V1,
        lambda it: written_in(language, session_prompts.session(it, focus)),
    )
    return await summed_up_in_steps([_line(it) for it in sources], recap, work)


def _line(source: Evidence) -> str:
    when = "" if source.start_seconds is None else f"{source.start_seconds:.0f} s, "
    what = "seen" if source.image_id else f"{source.speaker or 'somebody'} says"
    return line(f"{when}{what}: {source.text}")[:LINE_CHARS]


def _sources(
    timeline: Sequence[TimelineEntry],
    transcript: Transcript | None,
    seen: Sequence[Observation],
) -> list[Evidence]:
    """What was said, and what was seen where it changes; what has no time comes last."""
    placed = [it.observation_index for it in timeline if it.observation_index is not None]
    looks = [*placed, *(it for it in range(len(seen)) if it not in set(placed))]
    changes = {
        look
        for before, look in zip([None, *looks], looks, strict=False)
        if before is None or seen[before].text != seen[look].text
    }
    sources = []
    for entry in timeline:
        if entry.segment_index is not None and transcript is not None:
            sources.append(evidence_of(transcript.segments[entry.segment_index]))
        elif entry.observation_index in changes:
            sources.append(_sight(seen[entry.observation_index], entry.start_seconds))
    unplaced = looks[len(placed) :]
    return sources + [_sight(seen[it], None) for it in unplaced if it in changes]


def _risk(
    found: FoundRisk, seen: Sequence[Observation], times: Sequence[float | None]
) -> RiskFinding:
    of_id = {it.image_id: (it, time) for it, time in zip(seen, times, strict=True)}
    evidence = tuple(_sight(*of_id[image_id]) for image_id in found.evidence_image_ids)
    return RiskFinding(found.risk, evidence)


def _sight(seen: Observation, time: float | None) -> Evidence:
    return Evidence(seen.text, time, time, image_id=seen.image_id)


def _badness(found: RiskFinding) -> int:
    return _ORDER.index(found.risk.severity)
