"""Sums up a video.

Input: the video, and what to pay heed to. Output: what was seen in each frame, the scenes with
their times and frames, and a summary. Steps: `sample` takes the frames out; `describe/0`, ... say
what each shows; `scenes` are arithmetic; `summarize/0/0`, ... sum up the scenes part by part, each
small enough for a small model's context, and `summarize/1/0`, ... those summaries, until one is
left.
"""

from collections.abc import Sequence
from typing import Final

from services.chassis.errors import InvalidInput
from services.jobs.content import Scene, VideoSummaryInput, VideoSummaryOutput
from services.jobs.domain import Json
from services.jobs.pipelines import prompts, sampling
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.prompts import line
from services.jobs.pipelines.scenes import scenes
from services.jobs.pipelines.summing import LINE_CHARS, SUMMARY_TOKENS, summed_up
from services.jobs.pipelines.work import Work

_FOCUS_CHARS: Final = 400


async def run(given: VideoSummaryInput, work: Work) -> VideoSummaryOutput:
    """Look at frames of the video, find its scenes and sum them up."""
    if given.video is None:
        raise InvalidInput("the job has no video", remedy="create it anew with one")
    reel = await sampling.frames(given.video, work)
    question = prompts.of_picture(prompts.PAY_HEED_V1, given.focus)
    seen = await observe(reel.frames, question, work)
    found = scenes(seen, reel.duration_seconds)
    summary = await _summed_up([_line(it) for it in found], given.focus, work)
    return VideoSummaryOutput(seen, found, summary, reel.duration_seconds)


async def _summed_up(lines: list[str], focus: str, work: Work) -> str:
    heed = f" Pay heed to this: {line(focus)[:_FOCUS_CHARS]}" if focus else ""

    async def summarize(part: str) -> Json:
        turns = [("system", prompts.SUMMARY_V1 + heed), ("user", part)]
        said = await work.peers.reasoning.write(turns, most_tokens=SUMMARY_TOKENS)
        return line(said)[:LINE_CHARS]

    async def sum_up(level: int, parts: Sequence[str]) -> Sequence[str]:
        return await work.steps.run_each(
            f"summarize/{level}", parts, summarize, at_once=1, tell=str
        )

    return await summed_up(lines, sum_up)


def _line(scene: Scene) -> str:
    span = f"{scene.start_seconds:g} to {scene.end_seconds:g} s"
    return f"{span}: {line(scene.text)}"[:LINE_CHARS]
