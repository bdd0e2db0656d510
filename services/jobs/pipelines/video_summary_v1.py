"""Sums up a video.

Input: the video, and what to pay heed to. Output: what was seen in each frame, the scenes with
their times and frames, and a summary. Steps: `sample` takes the frames out; `describe/0`, ... say
what each shows; `scenes` are arithmetic; `summarize/0/0`, ... sum up the scenes part by part, each
small enough for a small model's context, and `summarize/1/0`, ... those summaries, until one is
left.
"""

from services.chassis.errors import InvalidInput
from services.jobs.content import Scene, VideoSummaryInput, VideoSummaryOutput
from services.jobs.pipelines import prompts, sampling
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.prompts import line
from services.jobs.pipelines.scenes import scenes
from services.jobs.pipelines.summing import LINE_CHARS, summed_up_in_steps
from services.jobs.pipelines.work import Work


async def run(given: VideoSummaryInput, work: Work) -> VideoSummaryOutput:
    """Look at frames of the video, find its scenes and sum them up."""
    if given.video is None:
        raise InvalidInput("the job has no video", remedy="create it anew with one")
    reel = await sampling.frames(given.video, work)
    question = prompts.of_picture(prompts.PAY_HEED_V1, given.focus)
    seen = await observe(reel.frames, question, work)
    found = scenes(seen, reel.duration_seconds)
    lines = [_line(it) for it in found]
    summary = await summed_up_in_steps(lines, prompts.SUMMARY_V1, given.focus, work)
    return VideoSummaryOutput(seen, found, summary, reel.duration_seconds)


def _line(scene: Scene) -> str:
    span = f"{scene.start_seconds:g} to {scene.end_seconds:g} s"
    return f"{span}: {line(scene.text)}"[:LINE_CHARS]
