"""Recordings made for tests: tones and silence in the containers and codecs that people send."""

import io
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import models.samples.dialogue

DIALOGUE = Path(models.samples.dialogue.__file__).with_name("dialogue.ogg")
TRUTH = DIALOGUE.with_suffix(".json")


def tone(seconds: float, rate: int = 16_000) -> NDArray[np.float32]:
    """A loud 440 Hz tone."""
    return np.float32(0.3) * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate).astype(
        np.float32
    )


def silence(seconds: float) -> NDArray[np.float32]:
    """Nothing."""
    return np.zeros(int(seconds * 16_000), np.float32)


def encoded(
    samples: NDArray[np.float32],
    container: str = "wav",
    codec: str = "pcm_s16le",
    *,
    rate: int = 16_000,
    layout: str = "mono",
    video: bool = False,
) -> bytes:
    """A recording of `samples`, the same in every channel, with a picture track if wanted."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as file:
        pictures = _add_pictures(file) if video else None
        if len(samples):
            sound = file.add_stream(codec, rate=rate, layout=layout)
            for frame in _frames(samples, rate, sound):
                file.mux(sound.encode(frame))
            file.mux(sound.encode(None))
        if pictures:
            black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            for _ in range(10):
                file.mux(pictures.encode(black))
            file.mux(pictures.encode(None))
    return written.getvalue()


def _add_pictures(file):
    pictures = file.add_stream("mpeg4", rate=10)
    pictures.width = pictures.height = 64
    pictures.pix_fmt = "yuv420p"
    return pictures


def _frames(samples, rate, sound):
    whole = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    whole.rate, whole.pts = rate, 0
    codec = sound.codec_context
    converter = av.AudioResampler(codec.format, codec.layout, rate, codec.frame_size or 1024)
    return [*converter.resample(whole), *converter.resample(None)]


def decoded(data: bytes, rate: int = 16_000) -> NDArray[np.float32]:
    """The samples of a recording of our own, mono."""
    resampler = av.AudioResampler("flt", "mono", rate)
    with av.open(io.BytesIO(data)) as file:
        frames = [it for each in file.decode(audio=0) for it in resampler.resample(each)]
    return np.concatenate([it.to_ndarray().ravel() for it in (*frames, *resampler.resample(None))])
