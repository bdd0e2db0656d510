"""Speech by faster-whisper, in this process. It reads one folder and asks no hub, ever."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from services.audio.domain import Segment
from services.audio.ports import Heard
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable
from services.media.audio import Samples

_log = logging.getLogger(__name__)

_FILES: Final = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")


class WhisperTranscriber:
    """Runs one Whisper model in CTranslate2's format."""

    engine = "whisper"

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
            self._find_speech = faster_whisper.vad.get_speech_timestamps
            self._whisper = faster_whisper.WhisperModel(
                str(self._folder), local_files_only=True, **self._options
            )

    def languages(self) -> frozenset[str]:
        """The languages that the model was trained on: `en` alone for an English one."""
        return frozenset(self._whisper.supported_languages)

    def transcribe(self, samples: Samples, language: str) -> Heard:
        """Hear a stretch of audio; only what sounds like a voice costs a pass of the model."""
        with _told("the speech model failed"):
            # Asked about silence, the model would pay a whole pass to make up a language.
            if not len(samples) or not self._find_speech(samples):
                return Heard(language, iter(()))
            # Word times cost little, and without them a segment lasts until the next one begins.
            segments, info = self._whisper.transcribe(
                samples, language=language or None, vad_filter=True, word_timestamps=True
            )
        return Heard(info.language, _spoken(iter(segments)))


def _spoken(segments: Iterator[Any]) -> Iterator[Segment]:
    with _told("the speech model failed"):
        for segment in segments:
            if text := segment.text.strip():
                yield Segment(float(segment.start), float(segment.end), text)


@contextmanager
def _told(problem: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, RuntimeError, ValueError, OSError) as failed:
        _log.exception(problem)
        raise Unavailable(problem, remedy="the cause is in the audio room's log") from failed
