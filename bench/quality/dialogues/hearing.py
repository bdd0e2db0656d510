"""Dialogues as transcripts: from the script, with the times that speech would take; or spoken by
made voices and heard by the audio room. Flite speaks: `apt-get install flite`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.quality.dialogues.scripts import WORDS_A_MINUTE, Script
from models.samples.dialogue.make import SAMPLE_RATE_HZ, speak
from services.audio import domain
from services.audio.core import Audio
from services.jobs.content import Segment, Transcript, Word
from services.media.audio import Samples
from tests.doubles.recordings import encoded

_VOICES: Final = ("slt", "rms", "awb", "kal16")
_PAUSE_SECONDS: Final = 0.5
_ENGLISH: Final = domain.Wish("en")


@dataclass(frozen=True)
class Dialogue:
    """A script, and what was heard of it."""

    script: Script
    transcript: Transcript
    names: Mapping[str, str]
    """Who it is behind each label of a voice."""


def read(script: Script) -> Dialogue:
    """Take every word from the script, a label for each voice as the audio room gives them."""
    labels = {name: f"S{place}" for place, name in enumerate(script.speakers, 1)}
    segments, at = [], 0.0
    for turn in script.turns:
        words = []
        for place, word in enumerate(turn.text.split()):
            end = at + 60 / WORDS_A_MINUTE
            words.append(Word(round(at, 2), round(end, 2), f" {word}" if place else word))
            at = end
        segments.append(
            Segment(
                *(words[0].start_seconds, words[-1].end_seconds, turn.text),
                speaker=labels[turn.speaker],
                words=tuple(words),
                language="en",
            )
        )
        at += _PAUSE_SECONDS
    text = " ".join(it.text for it in segments)
    transcript = Transcript(text, tuple(segments), "en", round(at, 2))
    return Dialogue(script, transcript, {label: name for name, label in labels.items()})


async def heard(script: Script, room: Audio) -> Dialogue:
    """Speak it, and hear it. A label is the person whose words it is put to most."""
    samples, spoken = await asyncio.to_thread(_spoken, script)
    told = (await room.transcribe(encoded(samples), _ENGLISH)).transcript
    segments = tuple(_segment(it) for it in told.segments)
    transcript = Transcript(told.text, segments, told.language, told.duration_seconds)
    shared: dict[str, dict[str, float]] = {}
    for segment in segments:
        of = shared.setdefault(segment.speaker, {})
        for name, start, end in spoken:
            both = min(end, segment.end_seconds) - max(start, segment.start_seconds)
            of[name] = of.get(name, 0.0) + max(both, 0.0)
    names = {label: max(of, key=of.__getitem__) for label, of in shared.items() if label}
    return Dialogue(script, transcript, names)


def _spoken(script: Script) -> tuple[Samples, list[tuple[str, float, float]]]:
    """The samples, and who speaks from when to when."""
    voices = dict(zip(script.speakers, _VOICES, strict=False))
    pause = np.zeros(int(_PAUSE_SECONDS * SAMPLE_RATE_HZ), np.float32)
    parts, spoken, at = [pause], [], len(pause)
    for turn in script.turns:
        speech = speak(voices[turn.speaker], turn.text)
        start, at = at, at + len(speech)
        spoken.append((turn.speaker, start / SAMPLE_RATE_HZ, at / SAMPLE_RATE_HZ))
        parts += [speech, pause]
        at += len(pause)
    return np.concatenate(parts), spoken


def _segment(it: domain.Segment) -> Segment:
    words = tuple(Word(w.start_seconds, w.end_seconds, w.text, w.confidence) for w in it.words)
    return Segment(
        *(it.start_seconds, it.end_seconds, it.text),
        speaker=it.speaker,
        words=words,
        confidence=it.confidence,
        language=it.language,
    )
