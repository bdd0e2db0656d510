"""How much two pictures differ, told from a few hundred patches of each: for a fraction of what it
takes to decode them, and whatever their sizes.

Patches are means, so that a camera's noise and the compression vanish in them; the most changed one
counts, so that a small thing in a large picture does not. It knows no stream and no threshold.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageChops

from services.media import jpeg
from services.media.image import DECODERS, opened, told_as_damaged
from services.media.upright import orientation, upright_rgb

_GRID: Final = (32, 24)
_PIXELS: Final = 80 * 60
"""A JPEG of 640 by 480 has as many after an eighth of it is decoded, which is the least there is.
"""
_FULL_SCALE: Final = 255


@dataclass(frozen=True, eq=False)
class Glance:
    """What is left of a picture when it is looked at for a moment."""

    patches: Image.Image = field(repr=False)

    def difference(self, other: "Glance") -> float:
        """How much the most changed patch differs in one of its colours, from 0 to 1."""
        channels = ImageChops.difference(self.patches, other.patches).split()
        extremes = [it.getextrema() for it in channels]
        return max(float(most) for _, most in extremes) / _FULL_SCALE  # type: ignore[arg-type]


async def glance(data: bytes, *, field: str) -> Glance:
    """Look at an untrusted picture. Raises `InvalidInput` about `field` if it cannot be decoded.

    One that was cut short is taken as far as it goes: `image.prepare` is the judge of that.
    """
    return await asyncio.get_running_loop().run_in_executor(DECODERS, _glance, data, field)


def _glance(data: bytes, field: str) -> Glance:
    image = opened(jpeg.with_end(data), field=field)
    with told_as_damaged(field):
        small = upright_rgb(image, orientation(image), _PIXELS)
        return Glance(small.resize(_GRID, Image.Resampling.BOX))
