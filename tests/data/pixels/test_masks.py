"""Masks as people save them, of other sizes and values than their images."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.data.pixels.images import BrokenImageError
from kagglecxr.data.pixels.masks import read_mask

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
