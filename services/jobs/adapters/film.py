"""Videos decoded as `services.media` does it: in bounds, in a process that may choke on them."""

from typing import Final

from services.jobs.content import Blob
from services.jobs.ports.rooms import Frame, Sampled
from services.media.video import Sampling, VideoDecoder

_PIXELS: Final = 1_280 * 960
"""Of a frame that is kept: more than models look at, and a few hundred kilobytes."""


class VideoFilm:
    """Takes frames out of videos."""

    def __init__(self) -> None:
        self._decoder = VideoDecoder()

    async def sample(self, video: Blob, *, frames_per_second: float, most_frames: int) -> Sampled:
        """Take so many frames of each second, or at most so many spread evenly."""
        sampling = Sampling(frames_per_second, most_frames, _PIXELS)
        clip = await self._decoder.clip(video.data, sampling, field="input.video")
        return Sampled([Frame(it.data, it.seconds) for it in clip.frames], clip.seconds)
