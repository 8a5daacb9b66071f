"""Predicted masks of held-out images: their scores, and the files that keep them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst

from kagglecxr.core.errors import DataError
from kagglecxr.training.held_out_masks import (
    HeldOutMasks,
    Maps,
    concatenate_masks,
    score_masks,
)

TRUTH = np.array([[[255, 255, 0, 0]], [[0, 0, 0, 255]]], np.uint8)


def held_out(**by_view: Maps) -> HeldOutMasks:
    return HeldOutMasks(np.array(["a", "007"]), TRUTH, by_view)


@settings(deadline=None, max_examples=30)
@given(data=st.data(), shape=st.tuples(*[st.integers(1, 17)] * 3))
def test_a_file_keeps_everything(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, shape: tuple[int, int, int]
) -> None:
    truth = 255 * data.draw(nst.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    views = {name: data.draw(nst.arrays(np.uint8, shape)) for name in ("identity", "zoom_hflip")}
    ids = np.array([f"NA{row}" for row in range(shape[0])])
    path = tmp_path_factory.mktemp("masks") / "oof.npz"
    HeldOutMasks(ids, truth, views).save(path)
    again = HeldOutMasks.load(path)
    assert again.ids.tolist() == ids.tolist()
    assert again.by_view.keys() == views.keys()
    np.testing.assert_array_equal(again.truth, truth)
    for name, maps in views.items():
        np.testing.assert_array_equal(again.by_view[name], maps)


def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "oof.npz"
    held_out(identity=TRUTH).save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"Received: .*oof\.npz"):
            HeldOutMasks.load(path)
    np.savez_compressed(path, ids=np.array(["a"]))
    with pytest.raises(DataError, match=r"Received: .*oof\.npz"):
        HeldOutMasks.load(path)
    with pytest.raises(DataError, match=r"Received: .*absent\.npz"):
        HeldOutMasks.load(tmp_path / "absent.npz")


def test_the_mean_of_views_is_rounded_and_does_not_overflow() -> None:
    one, other = np.full_like(TRUTH, 255), np.full_like(TRUTH, 254)
    assert held_out(identity=one, hflip=one).probabilities.max() == 255
    mixed = held_out(identity=one, hflip=other, zoom=one).probabilities
    assert set(np.unique(mixed)) == {255}


def test_scores_are_means_over_the_images_of_masks_from_a_half_on() -> None:
    predicted = np.array([[[128, 127, 128, 0]], [[0, 0, 0, 200]]], np.uint8)
    found = held_out(identity=predicted)
    assert found.image_scores()["iou"].tolist() == [1 / 3, 1.0]
    scores = found.scores()
    assert scores["iou"] == found.score() == pytest.approx(2 / 3)
    assert scores["dice"] == pytest.approx((2 / 4 + 1) / 2)
    assert scores["accuracy"] == pytest.approx((2 / 4 + 1) / 2)
    assert "iou_gain_of_views" not in scores


def test_what_views_gain_on_the_image_as_it_is_is_said() -> None:
    half, right = TRUTH // 3, TRUTH
    found = held_out(identity=half, hflip=right)
    assert found.scores()["iou_gain_of_views"] == 1.0
    assert "iou_gain_of_views" not in held_out(hflip=half, zoom=right).scores()


def test_parts_become_one_with_the_views_that_all_have() -> None:
    one, other = held_out(identity=TRUTH, hflip=TRUTH), held_out(identity=TRUTH // 2)
    both = concatenate_masks([one, other])
    assert both.ids.tolist() == ["a", "007", "a", "007"]
    assert both.by_view.keys() == {"identity"}
    np.testing.assert_array_equal(both.by_view["identity"][2:], TRUTH // 2)
    np.testing.assert_array_equal(both.truth, np.concatenate([TRUTH, TRUTH]))


def test_many_images_are_scored_in_their_order() -> None:
    random = np.random.default_rng(0)
    maps, truth = random.integers(0, 256, (2, 300, 3, 3), np.uint8)
    found = score_masks(maps, truth)
    for row in (0, 255, 256, 299):
        (alone,) = score_masks(maps[row : row + 1], truth[row : row + 1])["iou"]
        assert found["iou"][row] == alone
    assert all(len(scores) == 300 for scores in found.values())
