"""What media cost before the engine sees them, rounds interleaved: photographs of three sizes,
beside the plain way to shrink one, and a video. Run it as `python -m bench.media`.
"""

import asyncio
import io
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

import av
import numpy as np
from PIL import Image

from services.media import image
from services.media.video import Sampling, VideoDecoder

ROUNDS = 9
PIXELS = 1280 * 28 * 28
SIZES = {"0.3": (640, 480), "2": (1_600, 1_200), "12": (4_000, 3_000)}
VIDEO_SECONDS = 20


def photograph(size: tuple[int, int]) -> bytes:
    """A JPEG with as much in it as a photograph."""
    noise = Image.effect_noise((size[0] // 4, size[1] // 4), 40).convert("RGB")
    written = io.BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(written, "JPEG", quality=88)
    return written.getvalue()


def film() -> bytes:
    """A video of 1280 by 720 pixels, 30 frames a second, a key frame each two seconds."""
    written = io.BytesIO()
    noise = Image.effect_noise((160, 90), 40).convert("RGB").resize((1_280, 720))
    turned = [av.VideoFrame.from_ndarray(np.asarray(noise.rotate(it))) for it in range(8)]
    with av.open(written, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 1_280, 720, "yuv420p", 60
        for number in range(30 * VIDEO_SECONDS):
            turned[number % 8].pts = None
            output.mux(stream.encode(turned[number % 8]))
        output.mux(stream.encode(None))
    return written.getvalue()


async def plainly(data: bytes) -> None:
    """Decode all of it, then shrink."""
    decoded = Image.open(io.BytesIO(data))
    decoded.load()
    decoded.thumbnail((1_156, 867), Image.Resampling.BICUBIC, reducing_gap=None)
    decoded.save(io.BytesIO(), "JPEG", quality=90)


async def main() -> None:
    """Measure and print a line for each."""
    photographs = {name: photograph(size) for name, size in SIZES.items()}
    video, decoder = film(), VideoDecoder()
    cases: dict[str, Callable[[], Awaitable[object]]] = {}
    for name, data in photographs.items():
        cases[f"{name} megapixels"] = partial(image.prepare, data, max_pixels=PIXELS, field="image")
    cases["12 megapixels, plainly"] = lambda: plainly(photographs["12"])
    for frames in (8, VIDEO_SECONDS):
        wanted = Sampling(1, frames, 384 * 28 * 28)
        cases[f"{VIDEO_SECONDS} s of video, {frames} frames"] = partial(
            decoder.frames, video, wanted, field="video"
        )
    took: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            started = time.perf_counter()
            await case()
            took[name].append(time.perf_counter() - started)
    for name, seconds in took.items():
        print(f"{name:28} {1_000 * statistics.median(seconds):7.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
