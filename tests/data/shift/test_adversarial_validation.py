"""Adversarial validation: what is found, and what is not."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.intervals import Interval
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.index import Index
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.shift import adversarial_validation
from kagglecxr.data.shift.adversarial_validation import (
    Shift,
    compare_splits,
    describe,
    describe_shift,
    measure_shift,
    rank_features,
)
from tests.conftest import PreparedDemo

SPLIT = np.arange(150) % 3 == 0


@pytest.fixture(scope="module")
def unchanged(demo: PreparedDemo) -> Shift:
    """The shift of the demo's random split."""
    return compare(demo.prepared)


def compare(prepared: PreparedData, seed: int = 0) -> Shift:
    shift = compare_splits(prepared, np.random.default_rng(seed))
    assert shift is not None
    return shift


def with_table(prepared: PreparedData, table: pd.DataFrame) -> PreparedData:
    return replace(prepared, index=Index(table))


def without_test_images(prepared: PreparedData, keep: int) -> PreparedData:
    """The prepared data with `keep` test images, each of a group of its own."""
    rows = np.concatenate([prepared.index.rows("train"), prepared.index.rows("test")[:keep]])
    table = prepared.index.table.iloc[rows].reset_index(drop=True)
    table.loc[table["split"] == "test", "group"] = [f"own {k}" for k in range(keep)]
    cache = prepared.cache
    fewer = Cache(cache.folder, cache.images[rows], cache.measures[rows])
    return replace(with_table(prepared, table), cache=fewer)


def test_a_random_split_is_at_chance(demo: PreparedDemo, unchanged: Shift) -> None:
    assert all(auc.low <= 0.5 for auc in unchanged.parts.values())
    assert unchanged.test == len(demo.prepared.index.rows("test"))


def test_brighter_test_images_are_found_and_named(demo: PreparedDemo) -> None:
    cache = demo.prepared.cache
    test = demo.prepared.index.rows("test")
    measures = np.array(cache.measures)
    brighter = np.clip(measures["thumbnail"][test].astype(int) + 60, 0, 255)
    measures["thumbnail"][test] = brighter.astype(np.uint8)
    shift = compare(replace(demo.prepared, cache=Cache(cache.folder, cache.images, measures)))
    assert shift.acquisition.low > 0.9
    best = shift.features.iloc[0]
    assert best["feature"] in {"mean grey", "dark end (5th percentile)"}
    assert best["test"] > best["train"] + 30
    assert describe(shift).startswith("Test images differ from training images: by acquisition")


def test_larger_files_are_found_and_named(demo: PreparedDemo, unchanged: Shift) -> None:
    table = demo.prepared.index.table.copy()
    table.loc[table["split"] == "test", ["width", "height"]] = ["512", "512"]
    shift = compare(with_table(demo.prepared, table))
    assert shift.acquisition.low > 0.95
    assert shift.features["feature"][:2].tolist() == ["width", "height"]
    assert shift.features["auc"][0] == 1.0
    assert "width 1.00 (256 in training, 512 in test)" in describe(shift)
    assert shift.content == unchanged.content


def test_other_content_is_found_where_exposure_is_the_same(demo: PreparedDemo) -> None:
    cache = demo.prepared.cache
    measures = np.array(cache.measures)
    test = demo.prepared.index.rows("test")
    measures["thumbnail"][test] = measures["thumbnail"][test].transpose(0, 2, 1)
    shift = compare(replace(demo.prepared, cache=Cache(cache.folder, cache.images, measures)))
    assert shift.content.low > 0.9
    assert shift.acquisition.low < 0.7


def test_one_seed_gives_one_result_and_samples_are_drawn(
    demo: PreparedDemo, unchanged: Shift, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial_validation, "IMAGES", 30)
    first, again, other = (compare(demo.prepared, seed) for seed in (0, 0, 1))
    assert first.test == min(30, len(demo.prepared.index.rows("test")))
    assert first.parts == again.parts
    pd.testing.assert_frame_equal(first.features, again.features)
    assert first.parts != other.parts
    assert first.features["train"].tolist() != unchanged.features["train"].tolist()


@pytest.mark.parametrize("keep", [0, 4])
def test_without_enough_test_images_there_is_nothing_to_say(demo: PreparedDemo, keep: int) -> None:
    few = without_test_images(demo.prepared, keep)
    assert compare_splits(few, np.random.default_rng(0)) is None
    assert describe_shift(few, np.random.default_rng(0)) == ""


def test_a_handful_of_test_images_is_too_few(demo: PreparedDemo) -> None:
    few = without_test_images(demo.prepared, 5)
    assert describe_shift(few, np.random.default_rng(0)).startswith("5 test images are too few")


def shift_of_clusters(groups: npt.NDArray[np.object_]) -> Shift:
    """The shift where each twenty images have a random value in common that tells nothing else."""
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=30), 20)
    is_test = np.repeat(random.permutation(30) < 10, 20)
    table = pd.DataFrame({"value": values})
    return measure_shift(table, values[:, None], is_test, groups, np.random.default_rng(0))


def test_no_group_is_both_trained_on_and_scored() -> None:
    number = np.arange(600)
    apart = shift_of_clusters((number // 20).astype(str).astype(object))
    assert all(auc.low < 0.5 for auc in apart.parts.values())
    leaking = shift_of_clusters(number.astype(str).astype(object))
    assert all(auc.low > 0.9 for auc in leaking.parts.values())


def test_constant_and_unknown_features_do_no_harm() -> None:
    random = np.random.default_rng(0)
    holes = np.where(SPLIT, 1.0, 0.0) + random.normal(scale=0.1, size=150)
    holes[:20] = np.nan
    table = pd.DataFrame(
        {
            "constant": 1.0,
            "unknown": np.nan,
            "unknown in test": np.where(SPLIT, np.nan, holes),
            "holes": holes,
        }
    )
    groups = np.arange(150).astype(str).astype(object)
    shift = measure_shift(table, random.normal(size=(150, 2)), SPLIT, groups, random)
    assert shift.features["feature"].tolist() == ["holes"]
    assert shift.acquisition.low > 0.9


def test_features_are_ranked_by_hand() -> None:
    is_test = np.array([False, False, True, True])
    table = pd.DataFrame(
        {
            "none": [1.0, 4.0, 2.0, 3.0],
            "falls": [9.0, 8.0, 1.0, 3.0],
            "most": [1.0, 3.0, 2.0, 4.0],
            "source x": [True, False, False, False],
        }
    )
    assert rank_features(table, is_test).to_numpy().tolist() == [
        ["falls", 1.0, 8.5, 2.0],
        ["most", 0.75, 2.0, 3.0],
        ["source x", 0.75, 0.5, 0.0],
        ["none", 0.5, 2.5, 2.5],
    ]


def made_shift(acquisition: tuple[float, float, float], high: float = 0.55) -> Shift:
    features = pd.DataFrame(
        [("width", 0.83, 299.0, 1024.0)], columns=["feature", "auc", "train", "test"]
    )
    return Shift(Interval(*acquisition), Interval(0.5, 0.45, high), features, 90)


@pytest.mark.parametrize(
    ("acquisition", "starts", "ends"),
    [
        ((0.51, 0.47, 0.55), "Training and test images cannot be told apart", "carry over"),
        ((0.57, 0.52, 0.62), "Training and test images can hardly be told apart", "carry over"),
        ((0.62, 0.57, 0.67), "Test images differ slightly", "differ a little from"),
        ((0.83, 0.80, 0.86), "Test images differ from", "most often below"),
        ((0.60, 0.49, 0.72), "90 test images are too few", "0.5 is chance."),
    ],
)
def test_the_sentence_says_what_to_expect(
    acquisition: tuple[float, float, float], starts: str, ends: str
) -> None:
    sentence = describe(made_shift(acquisition))
    assert sentence.startswith(starts)
    assert ends in sentence
    told = starts.startswith("Test images differ")
    assert ("width 0.83 (299 in training, 1,024 in test)" in sentence) == told
