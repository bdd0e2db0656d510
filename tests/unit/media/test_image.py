import io
import random
import resource
import struct
import zlib

import pytest
from PIL import Image

from services.chassis.errors import InvalidInput
from services.media.image import ImageFormat, inspect, prepare, require_decodable
from tests.doubles.pictures import (
    BAD_PICTURES,
    BROKEN_JPEG,
    HEIC,
    encode,
    gif_that_declares,
    heic_that_declares,
    png,
    png_that_declares,
    scene_png,
    webp_that_declares,
    with_segment,
    without_codes,
)

PIXELS = 1280 * 28 * 28
NOISE = Image.effect_noise((400, 300), 60).convert("RGB")
PATH = "messages[0].parts[1].image"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_header_is_read_in_each_format(kind: str) -> None:
    info = inspect(encode(NOISE, kind), field=PATH)
    assert (info.format, info.width, info.height) == (ImageFormat[kind], 400, 300)


@pytest.mark.parametrize("size", [(8_192, 6_144), (8_160, 6_144), (16_384, 3_000)])
def test_the_largest_pictures_of_phones_are_within_the_limits(size: tuple[int, int]) -> None:
    info = inspect(png_that_declares(*size), field=PATH)
    assert (info.width, info.height) == size


def test_a_header_is_read_though_the_pixels_are_missing() -> None:
    assert inspect(encode(NOISE, "JPEG")[:2_000], field=PATH).width == 400


@pytest.mark.parametrize(("data", "code"), BAD_PICTURES.values(), ids=BAD_PICTURES.keys())
async def test_a_bad_picture_is_refused_by_its_field_with_a_remedy(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await prepare(data, max_pixels=PIXELS, field=PATH)
    assert refused.value.code == code
    assert refused.value.violations[0].field == PATH
    assert refused.value.remedy


async def test_a_video_is_told_to_be_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        await prepare(BAD_PICTURES["a video"][0], max_pixels=PIXELS, field=PATH)
    assert str(refused.value).startswith(f"{PATH}: is a video; send a JPEG")


@pytest.mark.parametrize(
    "data",
    [
        png_that_declares(40_000, 40_000),
        png_that_declares(9_000, 9_000),
        png_that_declares(12_000, 12_000),
        png_that_declares(16_385, 1),
        png_that_declares(1, 16_385),
        webp_that_declares(16_383, 16_383),
        webp_that_declares(10_000, 10_000),
        heic_that_declares(40_000, 40_000),
        heic_that_declares(9_000, 9_000),
        gif_that_declares(65_535, 65_535),
        gif_that_declares(16_384, 16_384),
    ],
)
async def test_a_bomb_is_refused_unpacked(data: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidInput) as refused:
        await prepare(data, max_pixels=PIXELS, field=PATH)
    assert refused.value.code == "IMAGE_TOO_LARGE"
    with pytest.raises(InvalidInput):
        inspect(data, field=PATH)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert kibibytes < 32_768


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "HEIC"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
async def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    whole = HEIC if kind == "HEIC" else encode(NOISE, kind)
    with pytest.raises(InvalidInput) as refused:
        await prepare(whole[: int(len(whole) * share)], max_pixels=PIXELS, field=PATH)
    assert refused.value.code == "IMAGE_DAMAGED"


@pytest.mark.parametrize("data", [scene_png(), encode(NOISE, "JPEG")])
async def test_an_upright_rgb_picture_within_the_budget_is_passed_on_as_it_is(data: bytes) -> None:
    prepared = await prepare(data, max_pixels=PIXELS, field=PATH)
    assert prepared.data is data
    assert opened(data).size == (prepared.width, prepared.height)


async def test_a_jpeg_of_a_rare_kind_is_written_anew() -> None:
    plain = encode(NOISE, "JPEG")
    # Two frame headers, which decoders take in different ways.
    frame = plain.index(b"\xff\xc0")
    twice = plain[:frame] + plain[frame : frame + 19] + plain[frame:]
    with pytest.raises(InvalidInput):
        await prepare(twice, max_pixels=PIXELS, field=PATH)
    padded = plain + bytes(9)
    prepared = await prepare(padded, max_pixels=PIXELS, field=PATH)
    assert opened(prepared.data).size == NOISE.size


@pytest.mark.parametrize("missing", [0, 2])
async def test_a_webcam_s_jpeg_is_given_the_codes_that_it_lacks(missing: int) -> None:
    whole = encode(NOISE, "JPEG", quality=95)
    bare = without_codes(whole)
    prepared = await prepare(bare[: len(bare) - missing], max_pixels=PIXELS, field=PATH)
    assert b"\xff\xc4" in prepared.data
    drawn, meant = opened(prepared.data).tobytes(), opened(whole).tobytes()
    assert sum(abs(a - b) for a, b in zip(drawn, meant, strict=True)) / len(meant) < 8


async def test_a_png_without_its_end_is_written_anew() -> None:
    prepared = await prepare(scene_png()[:-12], max_pixels=PIXELS, field=PATH)
    assert prepared.format is ImageFormat.JPEG


async def test_a_jpeg_that_is_passed_on_undecoded_can_be_told_to_be_damaged() -> None:
    good = encode(NOISE, "JPEG")
    await require_decodable(good, field=PATH)
    await require_decodable(good[:-2], field=PATH)
    prepared = await prepare(BROKEN_JPEG, max_pixels=PIXELS, field=PATH)
    assert prepared.data is BROKEN_JPEG
    with pytest.raises(InvalidInput) as refused:
        await require_decodable(BROKEN_JPEG, field=PATH)
    assert refused.value.code == "IMAGE_DAMAGED"
    assert refused.value.violations[0].field == PATH


async def test_a_picture_with_megabytes_beside_its_pixels_is_written_anew() -> None:
    padded = scene_png() + bytes(2_000_000)
    prepared = await prepare(padded, max_pixels=PIXELS, field=PATH)
    assert len(prepared.data) < 100_000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_larger_picture_is_shrunk_to_the_budget_and_keeps_its_shape(kind: str) -> None:
    prepared = await prepare(encode(NOISE, kind), max_pixels=30_000, field=PATH)
    small = opened(prepared.data)
    assert (prepared.width, prepared.height) == (400, 300)
    assert prepared.format is ImageFormat.JPEG
    assert small.format == "JPEG"
    assert 28_000 < small.width * small.height <= 30_000
    assert small.width / small.height == pytest.approx(4 / 3, rel=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("max_pixels", [PIXELS, 1_000])
async def test_a_picture_is_turned_upright(kind: str, orientation: int, max_pixels: int) -> None:
    upright = Image.new("RGB", (80, 40), "white")
    upright.paste("red", (0, 0, 40, 20))
    stored = upright
    for undo in UNDO[orientation]:
        stored = stored.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    prepared = await prepare(encode(stored, kind, exif=exif), max_pixels=max_pixels, field=PATH)
    assert (prepared.width, prepared.height) == (80, 40)
    shown = opened(prepared.data)
    assert shown.width > shown.height
    red, green, blue = shown.getpixel((shown.width // 4, shown.height // 4))
    assert (red > 200, green < 60, blue < 60) == (True, True, True)
    assert min(shown.getpixel((shown.width * 3 // 4, shown.height * 3 // 4))) > 200


def exif_that_says(kind: int, count: int, value: bytes) -> bytes:
    entry = struct.pack("<HHI", 0x0112, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(20)


ODD_EXIF = {
    "bytes": exif_that_says(1, 1, b"\x06"),
    "a letter": exif_that_says(2, 2, b"x"),
    "a ninth": exif_that_says(3, 1, b"\x09"),
    "a fraction of nothing": exif_that_says(5, 1, b"\x1a"),
    "anything": exif_that_says(7, 1, b"\x06"),
    "no EXIF": b"Exif\0\0no such thing",
}


@pytest.mark.parametrize("exif", ODD_EXIF.values(), ids=ODD_EXIF.keys())
async def test_what_cannot_be_read_beside_a_picture_leaves_it_as_it_is(exif: bytes) -> None:
    jpeg = with_segment(encode(NOISE, "JPEG"), 0xE1, exif)
    assert (await prepare(jpeg, max_pixels=PIXELS, field=PATH)).data is jpeg
    shot = png(4, 2, b"\0" * 26, (b"eXIf", exif[6:]))
    assert (await prepare(shot, max_pixels=PIXELS, field=PATH)).data is shot
    with pytest.raises(InvalidInput):
        await prepare(shot[:-20], max_pixels=PIXELS, field=PATH)


async def test_much_beside_a_picture_is_no_damage_of_it() -> None:
    shot = png(4, 2, b"\0" * 26, (b"iCCP", b"screen\0\0" + zlib.compress(bytes(3_000_000))))
    assert (await prepare(shot, max_pixels=PIXELS, field=PATH)).width == 4
    photo = encode(NOISE, "JPEG")
    for _ in range(100):
        photo = with_segment(photo, 0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))
    prepared = await prepare(photo, max_pixels=PIXELS, field=PATH)
    assert (prepared.width, len(prepared.data) < 200_000) == (400, True)


T = Image.Transpose
UNDO = {
    1: [],
    2: [T.FLIP_LEFT_RIGHT],
    3: [T.ROTATE_180],
    4: [T.FLIP_TOP_BOTTOM],
    5: [T.FLIP_LEFT_RIGHT, T.ROTATE_90],
    6: [T.ROTATE_90],
    7: [T.FLIP_LEFT_RIGHT, T.ROTATE_270],
    8: [T.ROTATE_270],
}
"""What a camera held each way does to a picture, after the EXIF standard's table."""


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
async def test_what_is_transparent_becomes_white(mode: str) -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0)).convert(mode)
    kind = "PNG" if mode != "PA" else "WEBP"
    clear = clear if mode != "PA" else clear.convert("RGBA")
    prepared = await prepare(encode(clear, kind), max_pixels=PIXELS, field=PATH)
    assert opened(prepared.data).getpixel((20, 20)) == (255, 255, 255)


async def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    data = encode(palette, "PNG", transparency=1)
    prepared = await prepare(data, max_pixels=PIXELS, field=PATH)
    assert opened(prepared.data).getpixel((20, 20)) == (255, 255, 255)


async def test_a_transparent_grey_of_sixteen_bits_leaves_the_others_as_they_are() -> None:
    rows = (b"\0" + b"\x80\0" * 4) * 4
    shot = png(4, 4, rows, (b"tRNS", b"\x10\0"), bits=16, colours=0)
    prepared = await prepare(shot, max_pixels=PIXELS, field=PATH)
    assert opened(prepared.data).getpixel((2, 2)) == pytest.approx((128, 128, 128), abs=3)


@pytest.mark.parametrize(
    ("image", "kind", "grey"),
    [
        (Image.new("I;16", (40, 40), 32_768), "PNG", 128),
        (Image.new("L", (40, 40), 128), "PNG", 128),
        (Image.new("L", (40, 40), 128), "JPEG", 128),
        (Image.new("1", (40, 40), 1), "PNG", 255),
        (Image.new("CMYK", (40, 40), (0, 0, 0, 127)), "JPEG", 128),
    ],
)
async def test_greys_and_inks_become_the_same_rgb(image: Image.Image, kind: str, grey: int) -> None:
    prepared = await prepare(encode(image, kind), max_pixels=PIXELS, field=PATH)
    shown = opened(prepared.data)
    assert shown.mode == "RGB"
    assert shown.getpixel((20, 20)) == pytest.approx((grey, grey, grey), abs=3)


async def test_a_jpeg_of_several_pictures_is_its_first() -> None:
    several = encode(NOISE, "MPO", save_all=True, append_images=[NOISE.resize((40, 30))])
    prepared = await prepare(several, max_pixels=PIXELS, field=PATH)
    assert (prepared.width, prepared.height) == (400, 300)


async def test_a_phone_s_picture_is_turned_upright_once() -> None:
    info = inspect(HEIC, field=PATH)
    assert (info.format, info.width, info.height) == (ImageFormat.HEIC, 64, 96)
    prepared = await prepare(HEIC, max_pixels=PIXELS, field=PATH)
    assert (prepared.width, prepared.height) == (64, 96)
    shown = opened(prepared.data)
    assert shown.format == "JPEG"
    assert shown.getpixel((50, 20))[1] < 60
    assert min(shown.getpixel((10, 20))) > 200


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("image", [NOISE, Image.linear_gradient("L").convert("RGB")])
async def test_a_jpeg_may_lack_its_end_marker_and_no_more(
    image: Image.Image, progressive: bool
) -> None:
    whole = encode(image, "JPEG", progressive=progressive)
    for missing in (1, 2):
        prepared = await prepare(whole[:-missing], max_pixels=PIXELS, field=PATH)
        assert opened(prepared.data).tobytes() == opened(whole).tobytes()
    for missing in (8, 16, len(whole) // 2):
        with pytest.raises(InvalidInput) as refused:
            await prepare(whole[:-missing], max_pixels=PIXELS, field=PATH)
        assert refused.value.code == "IMAGE_DAMAGED"


async def test_an_animation_is_its_first_frame() -> None:
    red, blue = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (40, 40), "blue")
    for kind in ("GIF", "WEBP"):
        moving = encode(red, kind, save_all=True, append_images=[blue])
        prepared = await prepare(moving, max_pixels=PIXELS, field=PATH)
        assert opened(prepared.data).getpixel((20, 20))[0] > 240


async def test_bytes_mangled_anywhere_give_a_picture_or_a_refusal_and_nothing_else() -> None:
    rng = random.Random(7)
    small = NOISE.resize((48, 36))
    outcomes = set()
    for whole in (HEIC, *(encode(small, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF"))):
        for _ in range(60):
            mangled = bytearray(whole)
            for _ in range(rng.randint(1, 6)):
                mangled[rng.randrange(len(mangled))] = rng.randrange(256)
            try:
                prepared = await prepare(bytes(mangled), max_pixels=PIXELS, field=PATH)
                outcomes.add(prepared.width > 0)
            except InvalidInput as refused:
                outcomes.add(refused.code)
    assert outcomes >= {True, "IMAGE_DAMAGED", "IMAGE_UNKNOWN"}
