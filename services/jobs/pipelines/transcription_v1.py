"""Says what was said in a recording.

Input: the recording, and the language if it is known. Output: its words with their times. Steps:
`transcribe`.
"""

from services.jobs import record
from services.jobs.content import Transcript, TranscriptionInput, TranscriptionOutput
from services.jobs.domain import Json
from services.jobs.pipelines.work import Work


async def run(given: TranscriptionInput, work: Work) -> TranscriptionOutput:
    """Transcribe the recording."""

    async def transcribe() -> Json:
        recording = await work.blob(given.audio)
        return record.dump(await work.peers.audio.transcribe(recording, given.language))

    await work.steps.plan("transcribe")
    heard = await work.steps.run("transcribe", transcribe, tell=lambda it: str(it["text"]))
    return TranscriptionOutput(record.load(Transcript, heard))
