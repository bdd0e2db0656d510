"""Voices in a stream, by the silero model that comes with faster-whisper. The model's state is kept
from frame to frame, so that each is judged once.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from services.audio.ports import VOICE_FRAME
from services.media.audio import Samples

_CONTEXT: Final = 64
"""The samples of the frame before that the model looks at too."""


class SileroVoice:
    """Judges one stream."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)
        self._rest = np.empty(0, np.float32)

    def feed(self, samples: Samples) -> Sequence[float]:
        """Judge the next samples: 0.003 s for each second."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // VOICE_FRAME * VOICE_FRAME
        self._rest = samples[whole:].copy()
        if not whole:
            return ()
        frames = samples[:whole].reshape(-1, VOICE_FRAME)
        before = np.vstack([self._before, frames[:-1, -_CONTEXT:]])
        self._before = frames[-1, -_CONTEXT:].copy()
        given = {"input": np.hstack([before, frames]), "h": self._hidden, "c": self._cell}
        judged, self._hidden, self._cell = self._session.run(None, given)
        return [float(it) for it in np.ravel(judged)]
