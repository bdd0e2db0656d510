import random
from dataclasses import replace

import pytest
from PIL import Image, ImageChops

from models.aisle.world import (
    Colour,
    Look,
    Scene,
    Worker,
    random_look,
    random_scene,
    render,
)
from services.chassis.errors import InvalidInput
from services.media.glance import Glance, glance
from services.vision.config import VisionConfig
from tests.doubles.pictures import BAD_PICTURES, BROKEN_JPEG, HEIC, encode

SIZE = (640, 480)
THRESHOLD = float(VisionConfig.model_fields["change_threshold"].default)


def photograph(scene: Scene, look: Look, *, light: int = 0) -> bytes:
    """A drawn scene as a camera sees it: with noise, in its light, compressed."""
    drawn = render(scene, look, scale=5).resize(SIZE, Image.Resampling.BICUBIC)
    noise = Image.merge("RGB", (Image.effect_noise(SIZE, 6),) * 3)
    return encode(ImageChops.add(drawn, noise, 1, light - 128), "JPEG", quality=70)


async def seen(data: bytes) -> Glance:
    return await glance(data, field="frame")


@pytest.mark.parametrize("seed", range(8))
async def test_any_change_in_an_aisle_is_above_the_threshold_and_noise_and_light_are_below(
    seed: int,
) -> None:
    rng = random.Random(seed)
    look, scene = random_look(rng), random_scene(rng)
    scene = replace(scene, box_count=3, colour=scene.colour or Colour.RED)
    before = await seen(photograph(scene, look))
    for light in (0, 4):
        assert before.difference(await seen(photograph(scene, look, light=light))) < THRESHOLD
    changes = [
        *(replace(scene, box_count=it) for it in (2, 4)),
        *(replace(scene, worker=it) for it in Worker if it is not scene.worker),
        *(replace(scene, colour=it) for it in Colour if it is not scene.colour),
        replace(scene, spill=not scene.spill),
        replace(scene, ladder=not scene.ladder),
    ]
    for changed in changes:
        difference = before.difference(await seen(photograph(changed, look)))
        assert difference > THRESHOLD, changed


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_is_the_same_in_each_format_and_size(kind: str) -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    small = await seen(encode(picture.resize((64, 48)), "JPEG"))
    assert small.difference(await seen(encode(picture.resize((1_280, 960)), kind))) < 0.05


async def test_a_picture_is_compared_the_way_up_that_its_camera_was_held() -> None:
    upright = Image.linear_gradient("L").convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = encode(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)
    assert (await seen(encode(upright, "JPEG"))).difference(await seen(lying)) < 0.05


async def test_black_and_white_differ_by_all_there_is() -> None:
    black, white = [await seen(encode(Image.new("L", (9, 9), it), "PNG")) for it in (0, 255)]
    assert black.difference(white) == 1
    assert black.difference(black) == 0


async def test_a_jpeg_that_lacks_its_end_is_looked_at_as_far_as_it_goes() -> None:
    whole = encode(Image.linear_gradient("L").convert("RGB"), "JPEG")
    assert (await seen(whole)).difference(await seen(whole[:-2])) < 0.01
    assert (await seen(HEIC)).difference(await seen(whole)) > 0


@pytest.mark.parametrize(("data", "code"), BAD_PICTURES.values(), ids=BAD_PICTURES)
async def test_what_is_no_picture_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await seen(data)
    assert refused.value.code == code
    assert refused.value.violations[0].field == "frame"


async def test_a_jpeg_whose_codes_are_none_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        await seen(BROKEN_JPEG)
    assert refused.value.code == "IMAGE_DAMAGED"
