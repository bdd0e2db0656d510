"""Says what was said in a recording.

Input: the recording, and the language if it is known. Output: its words with their times. Steps:
`transcribe`.
"""

from typing import Final

from services.jobs import record
from services.jobs.content import Transcript, TranscriptionInput, TranscriptionOutput
from services.jobs.domain import Json
from services.jobs.pipelines.work import Work

STEP: Final = "transcribe"


async def run(given: TranscriptionInput, work: Work) -> TranscriptionOutput:
    """Transcribe the recording."""

    async def transcribe() -> Json:
        return record.dump(await heard(given.audio, given.language, work))

    await work.steps.plan(STEP)
    told = await work.steps.run(STEP, transcribe, tell=lambda it: str(it["text"]))
    return TranscriptionOutput(record.load(Transcript, told))


async def heard(key: str, language: str, work: Work) -> Transcript:
    """Hear a recording of any size within the step, and tell how far it is."""

    async def tell(seconds: float, of_seconds: float) -> None:
        of = f" of about {of_seconds:.0f}" if of_seconds else ""
        await work.steps.tell(STEP, f"{seconds:.0f}{of} s")

    return await work.peers.audio.transcribe(work.stream(key), language, tell)
