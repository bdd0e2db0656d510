"""Makes the sample dialogue: two people restock a shop aisle, spoken by two Debian `flite` voices.

`python -m models.samples.dialogue.make` writes `dialogue.ogg` and `dialogue.json` beside this file.
Both are committed, so `flite` (`apt-get install flite`) is needed only to make them anew. The truth
in the JSON, who says what from when to when, is where the speech of each turn was put.
"""

import json
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

FOLDER: Final = Path(__file__).parent
SAMPLE_RATE_HZ: Final = 16_000
PAUSE_SECONDS: Final = 0.5
SILENCE: Final = 0.01
"""Samples below this share of the full scale are not speech; voices begin and end with some."""
LOUDNESS: Final = 0.08
"""The root mean square of every turn, so that no voice is louder than the other."""

VOICES: Final = {"Anna": "slt", "Tom": "rms"}
TURNS: Final = (
    ("Anna", "Good morning. The paint shelf in the next aisle is empty."),
    ("Tom", "I know. The truck came late last night, and the boxes are still in the back room."),
    ("Anna", "How many boxes do we have?"),
    ("Tom", "We have six boxes of red paint, and two boxes of blue paint."),
    ("Anna", "Please put the red boxes on the top shelf before we open."),
    ("Tom", "I will start right away. I need the ladder, because the shelf is too high for me."),
    ("Anna", "The ladder is next to the door. Be careful, there is water on the floor."),
    ("Tom", "Thank you. I will clean the floor first. It will take half an hour."),
)


def main() -> None:
    """Speak every turn, set them one after another, and write the audio and its truth."""
    pause = np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE_HZ), np.float32)
    parts, turns, at = [pause], [], len(pause)
    for speaker, text in TURNS:
        speech = speak(VOICES[speaker], text)
        start, at = at, at + len(speech)
        turns.append(
            {"speaker": speaker, "text": text, "start": _seconds(start), "end": _seconds(at)}
        )
        parts += [speech, pause]
        at += len(pause)
    _write(np.concatenate(parts), FOLDER / "dialogue.ogg")
    truth = {"language": "en", "duration": _seconds(at), "turns": turns}
    (FOLDER / "dialogue.json").write_text(json.dumps(truth, indent=2) + "\n")


def speak(voice: str, text: str) -> NDArray[np.float32]:
    """Say a text in a voice of Flite: samples at `SAMPLE_RATE_HZ`, from first to last sound."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder, "turn.wav")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", spoken], check=True)
        with wave.open(str(spoken)) as file:
            if file.getframerate() != SAMPLE_RATE_HZ or file.getnchannels() != 1:
                raise SystemExit(f"the flite voice {voice} does not speak at 16 kHz mono")
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / np.float32(
                32768
            )
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    speech = samples[loud[0] : loud[-1] + 1]
    return np.asarray(speech * (LOUDNESS / np.sqrt(np.mean(speech**2))), np.float32)


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 2)


def _write(samples: NDArray[np.float32], path: Path) -> None:
    frame = av.AudioFrame.from_ndarray(samples.clip(-1, 1)[np.newaxis], format="flt", layout="mono")
    frame.rate = SAMPLE_RATE_HZ
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono")
        stream.bit_rate = 24_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)


if __name__ == "__main__":
    main()
