"""index.csv and folds.csv: what they promise is checked whenever they are read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import CxrError, DataError, LeakError
from kagglecxr.core.files import write_table
from kagglecxr.data.index import (
    COLUMNS,
    Index,
    read_folds,
    read_index,
    write_folds,
    write_index,
)


def table(**changes: list[str]) -> pd.DataFrame:
    """Four images: three of the training set, of two patients, and one of the test set."""
    columns = {
        "id": ["a", "b", "c", "007"],
        "path": ["x/a.png", "x/b.png", "y/c.png", "t/007.png"],
        "label": ["x", "x", "y", ""],
        "split": ["train", "train", "train", "test"],
        "group": ["p1", "p1", "p2", "p3"],
        "source": ["", "", "NA", ""],
        "mask": [""] * 4,
        "width": ["10"] * 4,
        "height": ["12"] * 4,
        "phash": ["00ff", "1e10", "0000", "9999"],
        "mask_source": [""] * 4,
    }
    return pd.DataFrame({**columns, **changes}, dtype=str)


def test_the_columns_are_those_of_the_contract() -> None:
    assert ",".join(COLUMNS) == "id,path,label,split,group,source,mask,width,height,phash"


def test_an_index_comes_back_as_the_text_it_was(tmp_path: Path) -> None:
    index = Index(table())
    write_index(tmp_path / "index.csv", index)
    again = read_index(tmp_path / "index.csv")
    pd.testing.assert_frame_equal(again.table, index.table, check_dtype=False)
    assert again.ids == ["a", "b", "c", "007"]
    assert again.table["phash"].tolist() == ["00ff", "1e10", "0000", "9999"]
    assert again.table["source"].tolist()[2] == "NA"


def test_rows_and_columns_are_those_of_the_split() -> None:
    index = Index(table())
    assert index.rows("train").tolist() == [0, 1, 2]
    assert index.rows("test").tolist() == [3]
    assert index.column("group", index.rows("train")) == ["p1", "p1", "p2"]


def test_columns_that_a_user_added_are_left_out(tmp_path: Path) -> None:
    write_table(tmp_path / "index.csv", table().assign(note="mine")[["note", *COLUMNS[::-1]]])
    kept = [*COLUMNS, "mask_source"]
    assert list(read_index(tmp_path / "index.csv").table.columns) == kept


def test_an_index_without_the_masks_sources_is_read_with_none(tmp_path: Path) -> None:
    write_table(tmp_path / "index.csv", table().drop(columns="mask_source"))
    assert read_index(tmp_path / "index.csv").table["mask_source"].tolist() == [""] * 4


def test_sources_of_masks_are_written_where_one_is_known(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    write_index(path, Index(table()))
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    write_index(path, Index(table(mask_source=["", "NA", "out of fold", ""])))
    assert path.read_text().splitlines()[0] == ",".join([*COLUMNS, "mask_source"])
    again = read_index(path)
    assert again.table["mask_source"].tolist() == ["", "NA", "out of fold", ""]


def test_an_index_without_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    write_table(tmp_path / "index.csv", table().drop(columns=["group", "mask"]))
    with pytest.raises(DataError, match=r"index\.csv without group, mask"):
        read_index(tmp_path / "index.csv")


def test_two_images_of_one_id_are_refused() -> None:
    with pytest.raises(DataError, match=r"one id.*Received: b\."):
        Index(table(id=["a", "b", "b", "d"]))


def test_a_label_of_the_test_set_is_refused_as_a_leak() -> None:
    with pytest.raises(LeakError, match=r"1 of them, 007"):
        Index(table(label=["x", "x", "y", "y"]))


def test_a_training_image_without_label_is_refused() -> None:
    with pytest.raises(DataError, match=r"no label.*1 of them, b"):
        Index(table(label=["x", "", "y", ""]))


def test_a_split_that_is_neither_train_nor_test_is_refused() -> None:
    with pytest.raises(DataError, match="valid"):
        Index(table(split=["train", "valid", "train", "test"]))


def test_a_group_on_both_sides_of_the_split_is_refused() -> None:
    Index(table()).check_disjoint()
    with pytest.raises(LeakError, match=r"both train and test.*p1"):
        Index(table(group=["p1", "p1", "p2", "p1"])).check_disjoint()


def test_folds_come_back_in_the_order_of_the_index(tmp_path: Path) -> None:
    index = Index(table())
    write_folds(tmp_path / "folds.csv", ["c", "a", "b"], np.array([2, 0, 0]))
    fold = read_folds(tmp_path / "folds.csv", index)
    assert fold.tolist() == [0, 0, 2]
    assert fold.dtype == np.intp
    assert (tmp_path / "folds.csv").read_text().splitlines() == ["id,fold", "c,2", "a,0", "b,0"]


@pytest.mark.parametrize("ids", [["a", "b"], ["a", "b", "c", "007"], ["a", "b", "b"]])
def test_folds_of_other_images_are_refused(tmp_path: Path, ids: list[str]) -> None:
    write_folds(tmp_path / "folds.csv", ids, np.arange(len(ids)))
    with pytest.raises(DataError, match=r"different training images.*folds\.csv"):
        read_folds(tmp_path / "folds.csv", Index(table()))


def test_a_group_in_two_folds_is_refused(tmp_path: Path) -> None:
    write_folds(tmp_path / "folds.csv", ["a", "b", "c"], np.array([0, 1, 1]))
    with pytest.raises(LeakError, match=r"fold 0 and fold 1.*p1"):
        read_folds(tmp_path / "folds.csv", Index(table()))


@pytest.mark.parametrize("text", ["id,fold\na,0\nb,\nc,1\n", "id,fold\na,0\nb,x\nc,1\n", "id\na\n"])
def test_folds_that_are_no_numbers_are_refused_as_the_users_mistake(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(CxrError, match=r"folds\.csv"):
        read_folds(tmp_path / "folds.csv", Index(table()))
