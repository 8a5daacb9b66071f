"""Images gone through a block at a time are those of the array, in its order."""

import numpy as np
import pytest

from kagglecxr.data.images import image_array
from kagglecxr.data.images.image_array import blocks, each_image

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 3, 4), np.uint8)


@pytest.mark.parametrize("size", [1, 4, 11, 100])
def test_blocks_are_all_images_or_some_in_their_order(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_array, "BLOCK", size)
    rows = np.array([10, 3, 3, 0])
    for chosen, wanted in ((None, IMAGES), (rows, IMAGES[rows])):
        gathered = np.zeros_like(wanted)
        for part, block in blocks(IMAGES, chosen):
            assert 0 < len(block) <= size
            gathered[part] = block
        np.testing.assert_array_equal(gathered, wanted)
    np.testing.assert_array_equal(np.stack(list(each_image(IMAGES, rows))), IMAGES[rows])


def test_no_rows_are_no_images() -> None:
    assert not list(each_image(IMAGES, np.array([], np.intp)))
