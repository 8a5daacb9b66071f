"""Image files of every kind that data sets hold, whole and broken."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.data.images.decode import decode_image, read_image, read_mask
from kagglecxr.data.images.image import BrokenImageError

Pixels = npt.NDArray[np.uint8]


def smooth_noise(height: int = 40, width: int = 56, channels: int = 1, seed: int = 0) -> Pixels:
    """A picture whose mirror images and rotations differ from it, full range."""
    noise = np.random.default_rng(seed).random((height, width, channels)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3).reshape(height, width, channels)
    low, high = soft.min(), soft.max()
    return np.rint((soft - low) / (high - low) * 255).astype(np.uint8).squeeze()


def encoded(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return stream.getvalue()


GREY, COLOUR = smooth_noise(), smooth_noise(channels=3)
ALPHA = np.random.default_rng(5).integers(0, 256, (*GREY.shape, 1), np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "rgb"])
def test_lossless_files_come_back_as_they_were(kind: str, pixels: Pixels) -> None:
    image = decode_image(encoded(pixels, kind), "x")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "rgb"])
def test_jpeg_keeps_shape_and_channel_order(pixels: Pixels) -> None:
    image = decode_image(encoded(pixels, "JPEG"), "x")
    assert image.shape == pixels.shape
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - pixels).mean() < 4


def test_an_alpha_channel_is_dropped_even_where_it_is_transparent() -> None:
    rgba = np.concatenate([COLOUR, ALPHA], axis=2)
    np.testing.assert_array_equal(decode_image(encoded(rgba), "x"), COLOUR)


def test_an_alpha_channel_is_dropped_from_grey_too() -> None:
    both = np.concatenate([GREY[..., None], ALPHA], axis=2)
    np.testing.assert_array_equal(decode_image(encoded(both), "x"), GREY)


def test_a_black_and_white_file_has_both_ends_of_the_range() -> None:
    stream = io.BytesIO()
    PIL.Image.fromarray(GREY > 127).save(stream, "PNG")
    np.testing.assert_array_equal(decode_image(stream.getvalue(), "x"), (GREY > 127) * 255)


def test_an_8_bit_image_times_257_reads_equal_from_16_bits() -> None:
    deep = GREY.astype(np.uint16) * 257
    for data in (encoded(deep), encoded(deep, "TIFF")):
        image = decode_image(data, "x")
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, GREY)


def test_a_12_bit_image_is_scaled_by_4095() -> None:
    deep = np.linspace(0, 4095, 40 * 30).reshape(40, 30).astype(np.uint16)
    image = decode_image(encoded(deep), "x")
    np.testing.assert_array_equal(image, np.rint(deep / 4095 * 255))
    assert image.max() == 255


def test_a_dark_16_bit_image_above_12_bits_keeps_its_darkness() -> None:
    deep = np.full((8, 8), 6000, np.uint16)
    assert np.all(decode_image(encoded(deep), "x") == round(6000 / 65535 * 255))


def test_16_bit_colour_is_scaled_in_rgb_order() -> None:
    deep = cv2.cvtColor(COLOUR, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257
    data = cv2.imencode(".png", deep)[1].tobytes()
    np.testing.assert_array_equal(decode_image(data, "x"), COLOUR)


TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: np.swapaxes(image, 0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.swapaxes(image[::-1, ::-1], 0, 1),
    8: lambda image: np.rot90(image, 1),
}
"""What a viewer does to the stored pixels, by the EXIF orientation tag."""


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "rgb"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_rotation_is_applied(orientation: int, kind: str, pixels: Pixels) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind, quality=95, exif=exif)
    plain = decode_image(encoded(pixels, kind), "x")
    turned = decode_image(stream.getvalue(), "x")
    np.testing.assert_array_equal(turned, TURNS[orientation](plain))


def test_exif_rotation_is_applied_to_16_bits() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    PIL.Image.fromarray(GREY.astype(np.uint16) * 257).save(stream, "PNG", exif=exif)
    np.testing.assert_array_equal(decode_image(stream.getvalue(), "x"), np.rot90(GREY, -1))


JPEG, PNG = encoded(GREY, "JPEG"), encoded(GREY)


@given(st.integers(0, len(JPEG) - 1))
def test_a_jpeg_cut_off_anywhere_is_refused_by_name(length: int) -> None:
    with pytest.raises(BrokenImageError, match=r"chest-7\.jpg"):
        decode_image(JPEG[:length], "chest-7.jpg")


@given(st.integers(0, len(PNG) - 13))
def test_a_png_cut_off_before_its_last_chunk_is_refused_by_name(length: int) -> None:
    with pytest.raises(BrokenImageError, match=r"chest-7\.png"):
        decode_image(PNG[:length], "chest-7.png")


@given(st.floats(0, 0.97))
def test_a_progressive_jpeg_with_a_thumbnail_cut_off_anywhere_is_refused(share: float) -> None:
    exif = PIL.Image.Exif()
    exif[0x9286] = encoded(GREY[:8, :8], "JPEG")
    stream = io.BytesIO()
    PIL.Image.fromarray(COLOUR).save(stream, "JPEG", progressive=True, exif=exif)
    data = stream.getvalue()
    assert decode_image(data, "x").shape == COLOUR.shape
    with pytest.raises(BrokenImageError):
        decode_image(data[: int(len(data) * share)], "x")


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_other_files_that_are_cut_off_are_refused(kind: str, share: float) -> None:
    data = encoded(GREY, kind)
    with pytest.raises(BrokenImageError, match="chest-7"):
        decode_image(data[: int(len(data) * share)], "chest-7")


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_colours_of_other_numbers_are_stretched_from_black_to_white(kind: str) -> None:
    pixels = np.linspace(-1, 3, 60).reshape(4, 5, 3).astype(kind)
    read = decode_image(cv2.imencode(".tiff", pixels)[1].tobytes(), "a.tiff")
    expected = np.rint((pixels[..., ::-1] + 1) / 4 * 255)
    np.testing.assert_allclose(read, expected, atol=1)


def test_an_empty_file_is_refused_by_name() -> None:
    with pytest.raises(BrokenImageError, match=r"empty.*chest-7\.png"):
        decode_image(b"", "chest-7.png")


def test_a_text_file_is_refused_by_name() -> None:
    with pytest.raises(BrokenImageError, match=r"no image.*notes\.png"):
        decode_image(b"patient 7 was discharged on Monday\n" * 9, "notes.png")


def test_a_file_that_claims_an_impossible_size_is_refused_by_name() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 99))
    data = b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")
    with pytest.raises(BrokenImageError, match="giant"):
        decode_image(data, "giant.png")


def test_the_refusal_is_a_data_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match="--skip-broken"):
        decode_image(b"", "x")


def test_reading_a_path_names_it_in_the_refusal(tmp_path: Path) -> None:
    path = tmp_path / "Röntgen 1.png"
    path.write_bytes(PNG)
    np.testing.assert_array_equal(read_image(path), GREY)
    path.write_bytes(PNG[:100])
    with pytest.raises(BrokenImageError, match="Röntgen 1"):
        read_image(path)


LUNG = np.zeros((6, 8), bool)
LUNG[1:4, 2:5] = True
EXPECTED = np.where(LUNG, 255, 0)


def saved(folder: Path, image: PIL.Image.Image, name: str = "mask.png") -> Path:
    image.save(folder / name)
    return folder / name


def palette() -> PIL.Image.Image:
    image = PIL.Image.fromarray(LUNG.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0])
    return image


@pytest.mark.parametrize(
    "image",
    [
        PIL.Image.fromarray(LUNG),
        PIL.Image.fromarray(LUNG.astype(np.uint8)),
        PIL.Image.fromarray(LUNG.astype(np.uint8) * 255),
        PIL.Image.fromarray(np.repeat(LUNG[..., None], 3, axis=2).astype(np.uint8) * 200),
        PIL.Image.fromarray(LUNG.astype(np.uint16) * 65535),
        PIL.Image.fromarray(LUNG.astype(np.uint16)),
        palette(),
    ],
    ids=["1 bit", "0 and 1", "0 and 255", "RGB", "16 bit", "16 bit of 0 and 1", "palette"],
)
def test_every_way_to_save_a_mask_reads_alike(tmp_path: Path, image: PIL.Image.Image) -> None:
    mask = read_mask(saved(tmp_path, image), LUNG.shape)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, EXPECTED)


def test_soft_edges_are_cut_at_half_of_the_brightest_value(tmp_path: Path) -> None:
    soft = np.array([[0, 99, 100, 101, 200]], np.uint8)
    assert read_mask(saved(tmp_path, PIL.Image.fromarray(soft)), (1, 5)).tolist() == [
        [0, 0, 0, 255, 255]
    ]


def test_a_mask_takes_its_images_size_by_the_nearest_pixel(tmp_path: Path) -> None:
    path = saved(tmp_path, PIL.Image.fromarray(LUNG))
    np.testing.assert_array_equal(
        read_mask(path, (12, 24)), EXPECTED.repeat(2, axis=0).repeat(3, axis=1)
    )
    odd = read_mask(path, (7, 5))
    assert odd.shape == (7, 5)
    assert set(np.unique(odd)) == {0, 255}


def test_the_radiography_databases_sizes(tmp_path: Path) -> None:
    half = np.zeros((256, 256), np.uint8)
    half[:, :128] = 255
    mask = read_mask(saved(tmp_path, PIL.Image.fromarray(half)), (299, 299))
    assert mask.shape == (299, 299)
    assert abs(int((mask == 255).sum()) - 299 * 149.5) <= 299


def test_a_black_mask_is_an_empty_one(tmp_path: Path) -> None:
    path = saved(tmp_path, PIL.Image.fromarray(np.zeros((4, 4), np.uint8)))
    np.testing.assert_array_equal(read_mask(path, (9, 3)), np.zeros((9, 3)))


def test_a_mask_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "lung-7.png"
    with pytest.raises(MissingError, match=r"lung-7\.png"):
        read_mask(path, (4, 4))
    path.write_bytes(b"no image")
    with pytest.raises(BrokenImageError, match=r"lung-7\.png"):
        read_mask(path, (4, 4))
