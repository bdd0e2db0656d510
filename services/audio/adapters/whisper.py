"""Speech by faster-whisper, in this process. It reads one folder and asks no hub, ever."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.audio import agreement
from services.audio.adapters.silero import SileroVoice
from services.audio.adapters.whisper_times import gathered
from services.audio.adapters.whisper_windows import FRAMES_PER_SECOND, Windows, frames_for
from services.audio.domain import Segment, Word, segment_of
from services.audio.ports import Asked, Care, Heard, Stretch
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from services.media.audio import Samples

_log = logging.getLogger(__name__)

_BATCH: Final = 4
"""Stretches of half a minute heard at once. More cost a processor no less, and block it longer."""
_TOGETHER: Final = 4
"""Windows of live speech heard at once: two cost three quarters of what they cost one by one, and
four two thirds.
"""
_BATCHED: Final = 3
"""The dimensions of features that stand for several windows."""
_FILES: Final = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")


class WhisperTranscriber:
    """Runs one Whisper model in CTranslate2's format."""

    engine = "whisper"
    most_together = _TOGETHER

    def __init__(self, folder: Path, *, device: str, compute_type: str, threads: int) -> None:
        missing = [pattern for pattern in _FILES if not any(folder.glob(pattern))]
        if missing:
            raise ConfigError(
                f"AUDIO_MODEL: {folder} is not a whole speech model, it lacks "
                f"{', '.join(missing)}; run `sensorium models ensure whisper-base`, or name a "
                "folder that holds a model in faster-whisper's format"
            )
        self.name = folder.absolute().name
        self._folder = folder
        self._options = {"device": device, "compute_type": compute_type, "cpu_threads": threads}

    def load(self) -> None:
        """Read the model into memory: seconds."""
        os.environ["HF_HUB_OFFLINE"] = "1"
        with _told("the speech model cannot be loaded"):
            # Heavy: it brings CTranslate2 and ONNX Runtime. A room that cannot start, and everyone
            # who only wants this module's name, does without.
            import faster_whisper  # type: ignore[import-untyped]

            # It would tell of every recording how long it is and in which language.
            logging.getLogger("faster_whisper").setLevel(logging.WARNING)
            self._vad = faster_whisper.vad
            self._whisper = faster_whisper.WhisperModel(
                str(self._folder), local_files_only=True, **self._options
            )
            self._encode = self._whisper.encode
            self._whisper.encode = self._encode_window
            self._batches = faster_whisper.BatchedInferencePipeline
            self._windows = Windows(self._whisper)

    def languages(self) -> frozenset[str]:
        """The languages that the model was trained on: `en` alone for an English one."""
        return frozenset(self._whisper.supported_languages)

    def transcribe(self, samples: Samples, asked: Asked) -> Heard:
        """Hear a stretch of audio; only what sounds like a voice costs a pass of the model."""
        if asked.care is not Care.BULK:
            return self.hear([Stretch(samples, asked)])[0]
        with _told("the speech model failed"):
            if not self._is_spoken(samples, asked):
                return Heard(asked.language, iter(()))
            # One for each: it keeps what it heard last, and recordings take turns at it.
            segments, info = self._batches(self._whisper).transcribe(
                samples,
                batch_size=_BATCH,
                language=asked.language or None,
                hotwords=", ".join(asked.hints) or None,
                initial_prompt=asked.context or None,
                # They cost a twentieth. Without nobody would know when a sentence ends.
                word_timestamps=True,
            )
        return Heard(info.language, _spoken(segments, info.language))

    def hear(self, stretches: Sequence[Stretch]) -> Sequence[Heard]:
        """Hear stretches of live speech together; silence costs nothing."""
        with _told("the speech model failed"):
            heard = [Heard(it.asked.language, iter(())) for it in stretches]
            spoken = [place for place, it in enumerate(stretches) if self._has_voice(it.samples)]
            answers = self._windows.hear([stretches[place] for place in spoken])
        for place, (language, words) in zip(spoken, answers, strict=True):
            sentences = agreement.sentences(words)
            heard[place] = Heard(language, (segment_of(it, language) for it in sentences))
        return heard

    def voice(self) -> SileroVoice:
        """Begin to listen for voices in a stream."""
        return SileroVoice(self._vad.get_vad_model().session)

    def _is_spoken(self, samples: Samples, asked: Asked) -> bool:
        # Batches look for voices themselves, which costs a twentieth of all. But asked about
        # silence, the model would pay a whole pass to make up a language.
        return bool(asked.language and len(samples)) or self._has_voice(samples)

    def _has_voice(self, samples: Samples) -> bool:
        return bool(len(samples) and self._vad.get_speech_timestamps(samples))

    def _encode_window(self, features: Any) -> Any:
        # Whisper's encoder is made for 30 s, which everything shorter is filled up to with zeros;
        # most of what a pass over a few seconds costs is spent on them. So too of what is left of
        # a recording after its whole windows.
        if np.ndim(features) == _BATCHED:
            features = features[..., : _filled_frames(features)]
        return self._encode(features)


def _filled_frames(features: Any) -> int:
    """What a batch of windows needs, the longest of which may be shorter than 30 s."""
    filled = np.flatnonzero(np.any(features, axis=(0, 1)))
    return frames_for((filled[-1] + 1) / FRAMES_PER_SECOND if len(filled) else 0.0)


def _spoken(segments: Iterator[Any], language: str) -> Iterator[Segment]:
    with _told("the speech model failed"):
        for segment in segments:
            words = [
                Word(float(it.start), float(it.end), it.word, float(np.clip(it.probability, 0, 1)))
                for it in segment.words or ()
                if it.word.strip()
            ]
            # Batches come back in stretches of half a minute.
            for sentence in agreement.sentences(words):
                yield segment_of(gathered(sentence), language)


@contextmanager
def _told(problem: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, RuntimeError, ValueError, OSError) as failed:
        _log.exception(problem)
        raise Unavailable(problem, remedy="the cause is in the audio room's log") from failed
