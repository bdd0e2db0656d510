"""Sums up a video.

Input: the video, and what to pay heed to. Output: what was seen in each frame, the scenes with
their times and frames, and a summary, each sentence with the frames that it rests on. Steps:
`sample` takes the frames out; `describe/0`, ... say what each shows; scenes are arithmetic;
`measure/0` has the engine count their tokens; `recap/0/0`, ... sum them up part by part, each no
longer than the model's context holds, and `measure/1`, `recap/1/0`, ... those summaries, until one
is left.

A sentence of the summary that no scene bears out is dropped and counted.
"""

from services.chassis.errors import InvalidInput
from services.jobs.content import Evidence, Scene, VideoSummaryInput, VideoSummaryOutput
from services.jobs.pipelines import prompts, sampling
from services.jobs.pipelines.citing import cited, text_of
from services.jobs.pipelines.observing import observe
from services.jobs.pipelines.prompts import line
from services.jobs.pipelines.scenes import scenes
from services.jobs.pipelines.summing import LINE_CHARS, Recap, summed_up_in_steps
from services.jobs.pipelines.work import Work


async def run(given: VideoSummaryInput, work: Work) -> VideoSummaryOutput:
    """Look at frames of the video, find its scenes and sum them up."""
    if given.video is None:
        raise InvalidInput("the job has no video", remedy="create it anew with one")
    reel = await sampling.frames(given.video, work)
    question = prompts.of_picture(prompts.PAY_HEED_V1, given.focus)
    seen = await observe(reel.frames, question, work)
    found = scenes(seen, reel.duration_seconds)
    recap = Recap(prompts.SUMMARY_V2, lambda it: prompts.video_question(it, given.focus))
    written = await summed_up_in_steps([_line(it) for it in found], recap, work)
    sentences, dropped = cited(written, [_evidence(it) for it in found])
    summary = text_of(sentences)
    return VideoSummaryOutput(seen, found, summary, reel.duration_seconds, sentences, dropped)


def _line(scene: Scene) -> str:
    span = f"{scene.start_seconds:g} to {scene.end_seconds:g} s"
    return f"{span}: {line(scene.text)}"[:LINE_CHARS]


def _evidence(scene: Scene) -> Evidence:
    first = scene.evidence_image_ids[0]
    return Evidence(scene.text, scene.start_seconds, scene.end_seconds, image_id=first)
