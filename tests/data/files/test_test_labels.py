"""A test set with a table of labels of its own, in CheXpert's form."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.leaderboard.rehearsal import rehearse
from kagglecxr.leaderboard.solution import read_solution
from tests.data.files.test_layout import described, fill

TRAIN, VALID = 30, 8
SMALL = "CheXpert-v1.0-small/"
FACTS = ["Sex", "Age", "Frontal/Lateral", "AP/PA"]


def chexpert(root: Path, unpacked: str = "") -> Path:
    """Draws CheXpert in small; `unpacked` is the folder in which train and valid lie.

    A patient has a study, some of them a lateral view; cells are 1.0, 0.0, -1.0 or blank.
    """
    random = np.random.default_rng(0)
    findings = load_competition("chexpert").classes.names
    for part, first, patients in (("train", 1, TRAIN), ("valid", 64541, VALID)):
        lines = []
        for patient in range(first, first + patients):
            views = ["view1_frontal", *["view2_lateral"] * (patient % 3 == 0)]
            cells = ["1.0", "0.0", "", "-1.0"][: 4 if part == "train" else 2]
            said = random.choice(cells, len(findings))
            said[0] = cells[patient % 2]
            for view in views:
                path = f"{part}/patient{patient:05d}/study1/{view}.jpg"
                pixels = random.integers(0, 256, (24, 24)).astype(np.uint8)
                (root / unpacked / path).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / unpacked / path), pixels)
                lateral = "lateral" in view
                facts = [
                    "Female",
                    "68",
                    "Lateral" if lateral else "Frontal",
                    "" if lateral else "AP",
                ]
                lines.append([SMALL + path, *facts, "", *said])
        table = pd.DataFrame(lines, columns=["Path", *FACTS, "No Finding", *findings])
        table.to_csv(root / f"{part}.csv", index=False)
    return root


@pytest.mark.parametrize("unpacked", ["", SMALL])
def test_the_preset_takes_the_validation_set_as_test_set(tmp_path: Path, unpacked: str) -> None:
    root = chexpert(tmp_path, unpacked)
    found = find_images(root, load_competition("chexpert"))
    table = found.table.assign(part=found.table["path"].str.extract("(train|valid)/")[0])
    assert table.groupby("part")["split"].agg(set).to_dict() == {
        "train": {"train"},
        "valid": {"test"},
    }
    assert (table["label"] != "").all()
    assert not table["label"][table["part"] == "valid"].str.contains("?", regex=False).any()
    assert table["group"].str.fullmatch(r"patient\d+").all()
    assert "Labels of the 11 test images: valid.csv" in found.summary


def test_blank_cells_are_negative_and_minus_one_is_not_known(tmp_path: Path) -> None:
    root = chexpert(tmp_path)
    table = find_images(root, load_competition("chexpert")).table.set_index("path")["label"]
    for line in read_table(root / "train.csv").to_dict("records"):
        cell = table[line["Path"].removeprefix(SMALL)].split("|")
        for name in load_competition("chexpert").classes.names:
            assert (name in cell, f"?{name}" in cell) == (line[name] == "1.0", line[name] == "-1.0")


def test_a_submission_is_scored_by_the_table_of_the_test_set(tmp_path: Path) -> None:
    root = chexpert(tmp_path)
    workspace = Workspace(tmp_path / "work", "chexpert")
    options = PrepareOptions(root, 24, "gray | resize", 0.2, 2, False, 0)
    preset = load_competition("chexpert")
    described = prepare_competition(preset, workspace, options, Silent()).competition
    index = read_table(workspace.index)
    assert set(index["label"][index["split"] == "test"]) == {""}
    solution = read_solution(workspace, described.classes)
    asked = read_table(root / "valid.csv")
    truth = (asked[described.classes.names] == "1.0").to_numpy()
    order = [Path(path).with_suffix("").as_posix().removeprefix(SMALL) for path in asked["Path"]]
    rows = [solution.ids.index(name) for name in order]
    np.testing.assert_array_equal(solution.truth[rows], truth)
    perfect = pd.DataFrame(solution.truth, columns=described.classes.names)
    perfect.insert(0, "Path", solution.ids)
    perfect.to_csv(tmp_path / "perfect.csv", index=False)
    file, ledger = tmp_path / "perfect.csv", tmp_path / "ledger.csv"
    done = rehearse(file, described, workspace, ledger, {}, time="2026-01-01T00:00:00")
    assert done.interval.score == 1.0
    assert done.images == len(asked)


TOML = 'train = ["train/*"]\nlabels = "train.csv"\ntest_labels = "valid.csv"\n'


def competition(more: str = "", layout: str = TOML) -> Competition:
    return described(layout + more, '["Edema", "Mass"]', "multilabel = true")


def plain(root: Path, train: str, valid: str | None) -> Path:
    fill(root, "train/a.png", "train/b.png", "other/c.png", "other/d.png")
    (root / "train.csv").write_text(train)
    if valid is not None:
        (root / "valid.csv").write_text(valid)
    return root


TABLE = "id,Edema,Mass\n"
LABELS = f"{TABLE}a,1,0\nb,0,1\n"


def test_without_a_pattern_the_table_tells_the_test_set(tmp_path: Path) -> None:
    root = plain(tmp_path, LABELS, f"{TABLE}c,1,1\n")
    table = find_images(root, competition()).table
    assert table[["path", "label", "split"]].to_numpy().tolist() == [
        ["train/a.png", "Edema", "train"],
        ["train/b.png", "Mass", "train"],
        ["other/c.png", "Edema|Mass", "test"],
    ]


def test_findings_are_findings_where_each_test_image_has_one(tmp_path: Path) -> None:
    """By itself such a table would be one of classes."""
    root = plain(tmp_path, f"{TABLE}a,1,1\nb,0,1\n", f"{TABLE}c,1,0\nd,0,1\n")
    found = find_images(root, described(TOML, "[]"))
    assert found.multilabel
    assert found.table["label"].tolist() == ["Edema|Mass", "Mass", "Edema", "Mass"]


def test_classes_may_have_such_a_table_too(tmp_path: Path) -> None:
    root = plain(tmp_path, "id,label\na,ill\nb,well\n", "id,label\nc,well\nd,ill\n")
    table = find_images(root, described(TOML)).table
    assert table["label"].tolist() == ["ill", "well", "well", "ill"]
    assert table["split"].tolist() == ["train", "train", "test", "test"]


@pytest.mark.parametrize(
    ("valid", "more", "told"),
    [
        (None, "", "The table of test labels is missing"),
        (f"{TABLE}x,1,0\n", "", "names no image"),
        (f"{TABLE}b,1,0\nc,0,0\n", "", r"in the table of labels and in that of.*1 of them"),
        (f"{TABLE}c,1,0\n", 'test = ["other/*"]\n', r"no label in the table.*other/d\.png"),
        ("id,Edema,Hernia\nc,1,0\nd,0,1\n", "", r"other findings.*Hernia, Mass"),
        ("id,Edema,Mass\nc,1,soft\n", "", "neither 0, 1 nor -1"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(
    tmp_path: Path, valid: str | None, more: str, told: str
) -> None:
    root = plain(tmp_path, LABELS, valid)
    with pytest.raises((DataError, MissingError), match=told):
        find_images(root, competition(more))


def test_a_table_of_the_test_set_alone_is_refused(tmp_path: Path) -> None:
    toml = 'name = "a"\n[source]\nkind = "folder"\n[layout]\ntest_labels = "b.csv"\n'
    (tmp_path / "a.toml").write_text(toml)
    with pytest.raises(SettingError, match="test_labels needs labels"):
        load_competition(tmp_path / "a.toml")
