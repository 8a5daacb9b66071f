"""Each class shows its surest right and wrong images, and its doubtful ones."""

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.data.index import COLUMNS, Index
from kagglecxr.inference.predictions import Predictions
from kagglecxr.saliency.chosen_images import (
    FALSE_ALARM,
    FOUND,
    MISSED,
    RIGHT,
    UNSURE,
    WRONG,
    choose_finding_images,
    choose_images,
    name_images,
    rows_of,
    with_target,
)

TARGETS = ["covid", "normal"]
OF_COVID = [0.9, 0.4, 0.55, 0.8, 0.1, 0.3, 0.7]
TRUTH = [0, 0, 0, 0, 0, 1, 1]


@pytest.fixture
def predictions() -> Predictions:
    first = np.array(OF_COVID, np.float32)
    ids = np.array(list("abcdefg"))
    return Predictions(ids, np.stack([first, 1 - first], axis=1), np.array(TRUTH))


def index_of(ids: str) -> Index:
    return Index(pd.DataFrame({**dict.fromkeys(COLUMNS, ""), "split": "test", "id": list(ids)}))


def test_groups_of_each_class(predictions: Predictions) -> None:
    chosen = choose_images(predictions, TARGETS, 1)
    assert list(zip(chosen["true"], chosen["group"], chosen["id"], strict=True)) == [
        ("covid", RIGHT, "a"), ("covid", WRONG, "e"), ("covid", UNSURE, "c"),
        ("normal", RIGHT, "f"), ("normal", WRONG, "g"),
    ]  # fmt: skip
    line = chosen.set_index("id").loc["e"]
    assert (line["predicted"], line["target"]) == ("normal", 1)
    assert line["probability"] == pytest.approx(0.9)


def test_no_image_is_chosen_twice(predictions: Predictions) -> None:
    chosen = choose_images(predictions, TARGETS, 5)
    assert sorted(chosen["id"]) == list("abcdefg")


def test_images_are_named_in_any_order(predictions: Predictions) -> None:
    assert list(name_images(predictions, TARGETS, ["g", "a"])["id"]) == ["g", "a"]
    with pytest.raises(UnknownNameError, match=r"no predicted image of that name.*'x'"):
        name_images(predictions, TARGETS, ["a", "x"])


def test_any_class_can_be_explained(predictions: Predictions) -> None:
    chosen = with_target(choose_images(predictions, TARGETS, 1), TARGETS, "normal")
    assert set(chosen["target"]) == {1}
    with pytest.raises(UnknownNameError, match=r"'flu'.*normal"):
        with_target(chosen, TARGETS, "flu")


def test_rows_are_those_of_the_index(predictions: Predictions) -> None:
    chosen = name_images(predictions, TARGETS, ["g", "a"])
    assert rows_of(index_of("xgya"), chosen).tolist() == [1, 3]


def test_of_findings_each_is_found_missed_or_a_false_alarm() -> None:
    truth = np.array([[1, 0], [1, 1], [0, np.nan], [1, 0], [0, 1]], np.float32)
    outputs = np.array([[0.9, 0.6], [0.2, 0.7], [0.8, 0.9], [0.6, 0.1], [0.1, 0.3]], np.float32)
    found = Predictions(np.array(list("abcde")), outputs, truth)
    chosen = choose_finding_images(found, ["Edema", "Mass"], 1)
    assert chosen[["predicted", "group", "id"]].to_numpy().tolist() == [
        ["Edema", FOUND, "a"], ["Edema", MISSED, "b"], ["Edema", FALSE_ALARM, "c"],
        ["Mass", FOUND, "b"], ["Mass", MISSED, "e"], ["Mass", FALSE_ALARM, "a"],
    ]  # fmt: skip
    assert chosen["true"].tolist()[:3] == ["Edema", "Edema|Mass", "?Mass"]
    assert chosen["target"].tolist() == [0, 0, 0, 1, 1, 1]
    named = name_images(found, ["Edema", "Mass"], ["c", "d"])
    assert named[["id", "predicted"]].to_numpy().tolist() == [["c", "Mass"], ["d", "Edema"]]
    with pytest.raises(UnknownNameError, match="'z'"):
        name_images(found, ["Edema", "Mass"], ["z"])
