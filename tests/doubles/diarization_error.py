"""The measure of who spoke when: which share of the true speech was missed, made up, or given to
somebody else. Voices are matched as suits what was heard best.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from services.audio.domain import SpeakerTurn

_FRAMES = 100
"""In a second."""


def diarization_error_rate(
    truth: Sequence[SpeakerTurn], heard: Sequence[SpeakerTurn], *, collar: float = 0.25
) -> float:
    """Errors per second of true speech, overlaps counted; so near to a true change none count."""
    frames = 1 + round(_FRAMES * max(it.end_seconds for it in (*truth, *heard)))
    said, found = _spoken(truth, frames), _spoken(heard, frames)
    counted = np.ones(frames, bool)
    for at in (at for it in truth for at in (it.start_seconds, it.end_seconds)):
        counted[max(0, round((at - collar) * _FRAMES)) : round((at + collar) * _FRAMES)] = False
    said, found = said[:, counted], found[:, counted]
    most = np.maximum(said.sum(axis=0), found.sum(axis=0)).sum()
    few, many = sorted((said, found), key=len)
    right = max(
        sum(int((one & many[other]).sum()) for one, other in zip(few, chosen, strict=True))
        for chosen in itertools.permutations(range(len(many)), len(few))
    )
    return float(most - right) / int(said.sum())


def _spoken(turns: Sequence[SpeakerTurn], frames: int) -> np.ndarray:
    voices = sorted({it.voice for it in turns})
    spoken = np.zeros((len(voices), frames), bool)
    for it in turns:
        begin, end = round(it.start_seconds * _FRAMES), round(it.end_seconds * _FRAMES)
        spoken[voices.index(it.voice), begin:end] = True
    return spoken
