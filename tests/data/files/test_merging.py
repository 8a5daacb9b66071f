"""Several data sets under one competition's classes."""

import re
import tomllib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.files.layout import COLUMNS, find_images
from kagglecxr.data.files.merging import merged_sources
from kagglecxr.data.prepare import PrepareOptions, prepare_competition

PIXEL = PIL.Image.fromarray(np.zeros((2, 2), np.uint8))


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        PIXEL.save(root / path)
    return root


def described(data: str = "other", merge: str = "", layout: str = "") -> Competition:
    if "classes" not in merge:
        merge = f'classes = {{ SICK = "ill" }}\n{merge}'
    text = f"""
        name = "mine"
        [source]
        kind = "folder"
        [classes]
        names = ["ill", "well"]
        [layout]
        {layout}
        [[merge]]
        data = "{data}"
        {merge}
    """
    return Competition.model_validate(tomllib.loads(text))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", "ill/1.png", "well/2.png")


def test_a_merged_data_set_adds_to_the_class_it_is_mapped_to(root: Path) -> None:
    fill(root, "../other/SICK/1.png", "../other/SICK/deep/3.png", "../other/HALE/4.png")
    table = find_images(root, described()).table
    assert list(table.columns) == COLUMNS
    assert table.set_index("id")["label"].to_dict() == {
        "1": "ill",
        "2": "well",
        "other/1": "ill",
        "other/3": "ill",
    }
    assert set(table["split"]) == {"train"}
    assert all((root / path).is_file() for path in table["path"])
    assert table.set_index("id").loc["other/3", ["path", "source"]].tolist() == [
        "../other/SICK/deep/3.png",
        "other",
    ]


def test_merging_changes_no_line_of_the_competitions_own_images(root: Path) -> None:
    fill(root, "../other/SICK/1.png", "../other/SICK/2.png")
    merged = find_images(root, described()).table
    competition = described()
    alone = find_images(root, competition.model_copy(update={"merge": ()})).table
    own = merged[merged["source"] == ""].reset_index(drop=True)
    assert own.equals(alone)


@pytest.mark.parametrize("place", ["inside", "beside", "absolute", "home"])
def test_the_data_may_be_inside_next_to_it_or_anywhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    where, data, path = {
        "inside": (root / "other", "other", "other/SICK/7.png"),
        "beside": (root.parent / "other", "other", "../other/SICK/7.png"),
        "absolute": (tmp_path / "far", str(tmp_path / "far"), f"{tmp_path}/far/SICK/7.png"),
        "home": (tmp_path / "home" / "far", "~/far", f"{tmp_path}/home/far/SICK/7.png"),
    }[place]
    fill(where, "SICK/7.png")
    table = find_images(root, described(data)).table
    added = table[table["source"] != ""]
    assert added["path"].tolist() == [path]
    assert (root / path).is_file()


def test_groups_and_ids_of_two_data_sets_never_meet(root: Path) -> None:
    names = ("ill/p1_a.png", "well/p2_a.png", "../other/SICK/p1_a.png", "../other/SICK/p1_b.png")
    fill(root, *names, "../other/SICK/p3_a.png")
    pattern = "patient = '^(p\\d)_'"
    table = find_images(
        root, described(merge=pattern + '\nsource = "abroad"', layout=pattern)
    ).table
    groups = dict(zip(table["id"], table["group"], strict=True))
    assert groups == {"1": "", "2": "", "p1_a": "p1", "p2_a": "p2"} | {
        "abroad/p1_a": "abroad/p1",
        "abroad/p1_b": "abroad/p1",
        "abroad/p3_a": "abroad/p3",
    }


def test_masks_and_groups_of_a_merged_metadata_csv_come_along(root: Path) -> None:
    other = fill(root.parent / "other", "SICK/1.png", "lungs/1.png")
    (other / "metadata.csv").write_text("path,group_id,mask_path\nSICK/1.png,g,lungs/1.png\n")
    line = find_images(root, described()).table.set_index("id").loc["other/1"]
    assert line[["group", "mask"]].tolist() == ["other/g", "../other/lungs/1.png"]
    assert (root / line["mask"]).is_file()


def test_a_limit_takes_images_evenly_and_the_same_every_time(root: Path) -> None:
    fill(root, *[f"../other/SICK/{k:02}.png" for k in range(20)])
    ids = [find_images(root, described(merge="limit = 5")).table["id"].tolist() for _ in range(2)]
    assert ids[0] == ids[1]
    taken = [name for name in ids[0] if name.startswith("other/")]
    assert taken == ["other/00", "other/05", "other/10", "other/14", "other/19"]
    assert len(find_images(root, described(merge="limit = 99")).table) == 22


def test_a_class_may_come_from_a_merged_data_set_alone(tmp_path: Path) -> None:
    root = fill(tmp_path / "data", "well/2.png", "../other/SICK/1.png")
    table = find_images(root, described(layout='train = ["{class}/*"]')).table
    assert sorted(table["label"]) == ["ill", "well"]


def test_images_that_both_descriptions_find_stay_the_competitions_own(root: Path) -> None:
    fill(root, "other/SICK/7.png")
    layout = 'train = ["{class}/*", "other/SICK/*"]\nmetadata = "labels.csv"'
    (root / "labels.csv").write_text("path,label\nother/SICK/7.png,well\n")
    table = find_images(root, described(layout=layout)).table.set_index("path")
    assert table.loc["other/SICK/7.png", ["label", "source"]].tolist() == ["well", ""]


def test_a_data_set_that_is_not_there_is_refused_with_where_it_was_looked_for(root: Path) -> None:
    with pytest.raises(MissingError) as caught:
        find_images(root, described())
    assert str(root / "other") in str(caught.value)
    assert str(root.parent / "other") in str(caught.value)
    with pytest.raises(MissingError, match=r"looked for /no/such/folder\. Download"):
        find_images(root, described("/no/such/folder"))


def test_a_pattern_that_finds_nothing_is_refused_with_the_folder(root: Path) -> None:
    other = fill(root.parent / "other", "SICK/1.png")
    with pytest.raises(DataError, match=rf"{re.escape(str(other))}.*train/{{class}}/\*"):
        find_images(root, described(merge='train = ["train/{class}/*"]'))


def test_a_merged_class_that_a_pattern_does_not_find_is_refused_by_its_folder(root: Path) -> None:
    fill(root.parent / "other", "HALE/1.png")
    two = described(merge='train = ["{class}/*"]\n[merge.classes]\nSICK = "ill"\nHALE = "well"')
    with pytest.raises(DataError, match=r"none in SICK of .*other"):
        find_images(root, two)


def test_a_merged_class_folder_that_is_not_there_is_refused_by_name(root: Path) -> None:
    fill(root.parent / "other", "HALE/2.png")
    with pytest.raises(DataError, match=r"other, which should hold SICK"):
        find_images(root, described())


def drawn(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4), np.uint8)
    PIL.Image.fromarray(noise).resize((64, 64), PIL.Image.Resampling.BICUBIC).save(path)


def test_merged_images_are_for_training_but_for_copies_of_what_is_tested(tmp_path: Path) -> None:
    root, other = tmp_path / "data", tmp_path / "other"
    for k in range(60):
        drawn(root / ("ill", "well")[k % 2] / f"{k}.png", k)
    for k in range(40):
        drawn(other / "SICK" / f"new-{k}.png", 1000 + k)
    for k in range(0, 60, 2):
        drawn(other / "SICK" / f"copy-{k}.png", k)
    workspace = Workspace(tmp_path / "work", "mine")
    request = PrepareOptions(root, 32, "gray | resize", 0.2, 3, False, 0)
    prepare_competition(described(), workspace, request, Silent())
    index = read_table(workspace.index).set_index("id")
    test = set(index.index[index["split"] == "test"])
    assert not [name for name in test if name.startswith("other/new-")]
    own = {name for name in test if not name.startswith("other/")}
    assert 10 <= len(own) <= 14
    copies = {f"other/copy-{name}" for name in own if int(name) % 2 == 0}
    assert copies
    assert test == own | copies
    assert not set(index.loc[list(test), "group"]) & set(
        index.loc[index["split"] == "train", "group"]
    )


BY_HAND = """
name = "mine"
[source]
kind = "dataset"
slug = "mary/lungs"
sha256sums = "mine.sha256"
[classes]
names = ["NORMAL"]
[[merge]]
data = "from-a-hospital"
classes = { NORMAL = "NORMAL" }
[[merge]]
data = "covid-ct"
classes = { NORMAL = "NORMAL" }
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(BY_HAND)
    return path


def test_a_preset_of_the_same_name_tells_where_merged_data_come_from(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (merged,) = merged_sources(load_competition("covid19-radiography-topped-up"), raw)
    assert merged.source is not None
    assert merged.source.slug == "paultimothymooney/chest-xray-pneumonia"
    assert merged.folder == tmp_path / "chest-xray-pneumonia"
    assert not merged.is_brought
    (raw / "chest-xray-pneumonia").mkdir(parents=True)
    (merged,) = merged_sources(load_competition("covid19-radiography-topped-up"), raw)
    assert merged.is_brought


def test_merged_data_that_kaggle_does_not_serve_have_no_source(mine: Path, tmp_path: Path) -> None:
    merged = merged_sources(load_competition(mine), tmp_path / "raw")
    assert [part.source for part in merged] == [None, None]
    assert merged_sources(load_competition("demo"), tmp_path) == []


def test_parts_of_a_merged_data_set_are_all_for_training(root: Path) -> None:
    fill(root.parent / "other", "train/SICK/1.png", "test/SICK/2.png", "test/ODD/3.png")
    found = find_images(root, described()).table
    merged = found[found["source"] == "other"]
    assert merged["split"].tolist() == ["train", "train"]
    assert merged["label"].tolist() == ["ill", "ill"]
