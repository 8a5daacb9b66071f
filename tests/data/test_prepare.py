"""Preparing: the same files whatever happened before, no leak, and an error for every mistake."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.errors import CxrError, DataError, LeakError, MissingError
from kagglecxr.core.files import read_json, read_table, write_json, write_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.image_loader import BrokenImagesError
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.prepare import PrepareOptions, data_folder, prepare_competition
from kagglecxr.data.prepared import PreparedData, load_prepared
from tests.conftest import PreparedDemo

PATIENTS = {"ill": 8, "odd": 6, "well": 14}
OPTIONS = PrepareOptions(None, 16, "gray | resize", 0.2, 3, False, 0)


def picture(seed: int, size: int = 48) -> npt.NDArray[np.uint8]:
    """Smooth noise that resembles no other seed's."""
    noise = np.random.default_rng(seed).random((size, size)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(cv2.normalize(soft, None, 10, 245, cv2.NORM_MINMAX), np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three unbalanced classes of patients with one to three images each."""
    root, rows, seed = tmp_path / "data", [], 0
    for label, patients in PATIENTS.items():
        (root / label).mkdir(parents=True)
        for patient in range(patients):
            for k in range(1 + patient % 3):
                seed += 1
                path = f"{label}/{label}{patient}-{k}.png"
                cv2.imwrite(str(root / path), picture(seed))
                rows.append((path, f"{label}{patient}", f"hospital-{patient % 2}"))
    write_table(root / "metadata.csv", pd.DataFrame(rows, columns=["path", "group_id", "source"]))
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work", "data")


def prepare(data: Path, workspace: Workspace, **changes: object) -> PreparedData:
    return prepare_with(data, workspace, Silent(), **changes)


def prepare_with(
    data: Path, workspace: Workspace, reporter: Silent, **changes: object
) -> PreparedData:
    options = replace(OPTIONS, **changes)  # type: ignore[arg-type]
    return prepare_competition(load_competition(data), workspace, options, reporter)


class Listener(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def files(workspace: Workspace) -> dict[str, bytes]:
    """Every file of a workspace but those a killed writer left next to them."""
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in workspace.root.rglob("*")
        if path.is_file() and not path.name.startswith(".writing-")
    }


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Changes a table as a user with an editor would."""
    write_table(path, change(read_table(path)))


def assert_rows_agree(prepared: PreparedData) -> None:
    """Holds where line i of the index is the file of which the cache holds row i."""
    assert len(prepared.index.table) == len(prepared.cache.images)
    for row, path in enumerate(prepared.index.table["path"]):
        image = cv2.imread(str(prepared.root / path), cv2.IMREAD_GRAYSCALE)
        size = prepared.cache.images.shape[1:3]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(prepared.cache.images[row], small)


def test_the_workspace_gets_the_files_of_the_contract(data: Path, workspace: Workspace) -> None:
    prepared = prepare(data, workspace)
    key = prepared.cache.key
    assert set(files(workspace)) == {
        "index.csv",
        "folds.csv",
        "duplicates.csv",
        "leaks.md",
        "left_out.csv",
        "prepare.json",
        "sample_submission.csv",
        "rehearsal/solution.csv",
        f"cache/{key}/images.npy",
        f"cache/{key}/measures.npy",
        f"cache/{key}/cache.json",
    }
    header = workspace.index.read_text().splitlines()[0]
    assert header == "id,path,label,split,group,source,mask,width,height,phash"
    assert workspace.folds.read_text().splitlines()[0] == "id,fold"


def test_preparing_twice_writes_the_same_bytes(data: Path, workspace: Workspace) -> None:
    prepare(data, workspace)
    first = files(workspace)
    prepare(data, workspace)
    assert files(workspace) == first
    elsewhere = Workspace(workspace.root.with_name("elsewhere"), "data")
    prepare(data, elsewhere)
    assert files(elsewhere) == first


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from tests.data.test_prepare import Killer, Workspace, prepare, prepare_with

data, root, kills, images = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])

def forked(task):
    pid = os.fork()
    if not pid:
        task()
        os._exit(0)
    return pid

prepare(data, Workspace(root / "warm", "data"))
start = time.perf_counter()
prepare(data, Workspace(root / "timed", "data"))
whole = time.perf_counter() - start
chance = random.Random(0)
for number in range(kills):
    for _ in range(2):
        pid = forked(lambda: prepare(data, Workspace(root / f"killed-{number}", "data")))
        time.sleep(whole * chance.uniform(0.02, 1.0))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
decoding = forked(lambda: prepare_with(data, Workspace(root / "decoding", "data"), Killer(images)))
assert os.waitpid(decoding, 0)[1] == signal.SIGKILL
"""


class Killer(Silent):
    """Kills its process once so many images are decoded."""

    def __init__(self, images: int) -> None:
        self.left = images

    def advance(self, items: int = 1) -> None:
        self.left -= items
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_prepare_that_was_killed_anywhere_is_completed_to_the_same_bytes(
    data: Path, tmp_path: Path
) -> None:
    # So that the cache of the images that stay is killed as well.
    copy_brightened(data, "well/well2-0.png", "ill/ill4-9.jpg", "ill4")
    kills, images, repository = 8, 17, Path(__file__).parents[2]
    words = [str(data), str(tmp_path), str(kills), str(images)]
    subprocess.run([sys.executable, "-c", KILLED, *words], check=True, cwd=repository, timeout=120)
    wanted = files(Workspace(tmp_path / "timed", "data"))
    unfinished = 0
    for number in range(kills):
        workspace = Workspace(tmp_path / f"killed-{number}", "data")
        if not workspace.prepared.exists():
            unfinished += 1
            with pytest.raises(MissingError, match=r"kagglecxr\.prepare"):
                load_prepared(load_competition(data), workspace)
        prepare(data, workspace)
        assert files(workspace) == wanted
    assert unfinished
    # A decode that was killed goes on where it stopped.
    decoding = Workspace(tmp_path / "decoding", "data")
    (partial,) = decoding.cache.iterdir()
    assert partial.name.endswith(".partial")
    assert np.load(partial / "measures.npy")["done"].sum() >= images
    prepare(data, decoding)
    assert files(decoding) == wanted


def test_the_index_and_the_cache_agree_row_by_row(data: Path, workspace: Workspace) -> None:
    assert_rows_agree(prepare(data, workspace))


def test_the_demos_index_and_cache_agree_with_its_files(demo: PreparedDemo) -> None:
    table, cache = demo.prepared.index.table, demo.prepared.cache
    assert [int(value, 16) for value in table["phash"]] == cache.measures["phash"].tolist()
    assert set(table["width"]) == set(table["height"]) == {"256"}
    assert cache.images.shape == (len(table), 48, 48)
    assert_rows_agree(demo.prepared)


def test_what_was_prepared_is_loaded_as_it_was(data: Path, workspace: Workspace) -> None:
    prepared = prepare(data, workspace)
    loaded = load_prepared(load_competition(data), workspace)
    pd.testing.assert_frame_equal(loaded.index.table, prepared.index.table, check_dtype=False)
    np.testing.assert_array_equal(loaded.fold, prepared.fold)
    np.testing.assert_array_equal(loaded.cache.images, prepared.cache.images)
    assert loaded.competition == prepared.competition
    assert loaded.root == prepared.root == data.resolve()
    assert loaded.cache.key == prepared.cache.key


def test_classes_are_counted_as_their_folders_are_filled(data: Path, workspace: Workspace) -> None:
    prepared = prepare(data, workspace, test=0.0)
    assert prepared.competition.classes.names == ["ill", "odd", "well"]
    counts = [len(list((data / label).iterdir())) for label in ("ill", "odd", "well")]
    assert np.bincount(prepared.class_ids()).tolist() == counts
    assert np.bincount(prepared.target_ids()).tolist() == counts


def test_pooled_classes_share_a_target_id(data: Path, workspace: Workspace) -> None:
    competition = Competition.model_validate(
        {
            "name": "data",
            "source": {"kind": "folder"},
            "classes": {"names": ["well", "ill", "odd"], "pools": {"unwell": ["ill", "odd"]}},
            "folder": data,
        }
    )
    prepared = prepare_competition(competition, workspace, OPTIONS, Silent())
    expected = np.where(prepared.class_ids() == 0, 0, 1)
    np.testing.assert_array_equal(prepared.target_ids(), expected)
    assert set(read_table(workspace.solution)["label"]) == {"well", "unwell"}


def test_labels_of_the_test_set_are_in_the_solution_and_nowhere_else(
    data: Path, workspace: Workspace
) -> None:
    prepare(data, workspace)
    index = read_table(workspace.index)
    test = index[index["split"] == "test"]
    assert len(test)
    assert (test["label"] == "").all()
    solution = read_table(workspace.solution).set_index("id")["label"]
    for name, path in zip(test["id"], test["path"], strict=True):
        assert solution[name] == path.split("/")[0]
    assert len(solution) == len(test)


def test_patients_are_whole_in_one_fold_or_in_the_test_set(
    data: Path, workspace: Workspace
) -> None:
    prepared = prepare(data, workspace)
    table = prepared.index.table
    place = np.full(len(table), -1)
    place[prepared.index.rows("train")] = prepared.fold
    patient = table["path"].str.extract(r"/(.+)-\d+\.png")[0]
    assert (pd.Series(place).groupby(patient).nunique() == 1).all()
    assert set(prepared.fold.tolist()) == {0, 1, 2}


def copy_brightened(data: Path, original: str, copy: str, patient: str) -> None:
    """Puts a brightened, resaved copy of an image under another patient, perhaps another class."""
    image = cv2.imread(str(data / original), cv2.IMREAD_GRAYSCALE)
    brighter = np.clip(np.rint(image * 1.05), 0, 255).astype(np.uint8)
    cv2.imwrite(str(data / copy), brighter, [cv2.IMWRITE_JPEG_QUALITY, 70])
    line = {"path": copy, "group_id": patient, "source": ""}
    edit(data / "metadata.csv", lambda table: pd.concat([table, pd.DataFrame([line])]))


def test_patients_that_share_a_copied_image_become_one_group(
    data: Path, workspace: Workspace
) -> None:
    copy_brightened(data, "well/well2-0.png", "well/well4-9.jpg", "well4")
    prepared = prepare(data, workspace)
    duplicates = read_table(workspace.duplicates)
    assert {frozenset(pair) for pair in duplicates[["first", "second"]].to_numpy()} == {
        frozenset(("well4-9", "well2-0"))
    }
    group = prepared.index.table.set_index("id")["group"]
    members = ["well4-0", "well4-1", "well4-9", "well2-0", "well2-1", "well2-2"]
    assert len(set(group[members])) == 1
    assert read_table(workspace.left_out).empty
    load_prepared(load_competition(data), workspace)


def test_copies_under_two_labels_are_left_out_and_reported_with_their_labels(
    data: Path, workspace: Workspace
) -> None:
    copy_brightened(data, "well/well2-0.png", "ill/ill4-9.jpg", "ill4")
    listener, competition = Listener(), load_competition(data)
    prepared = prepare_competition(competition, workspace, OPTIONS, listener)
    assert not {"ill4-9", "well2-0"} & set(prepared.index.ids)
    out = read_table(workspace.left_out).set_index("id")
    assert out["label"].to_dict() == {"ill4-9": "ill", "well2-0": "well"}
    assert out["other"].to_dict() == {"ill4-9": "well2-0", "well2-0": "ill4-9"}
    assert out["other_label"].to_dict() == {"ill4-9": "well", "well2-0": "ill"}
    report = workspace.leaks.read_text()
    assert "pairs under two labels: 1" in report
    assert "| ill4-9 | ill | well2-0 | well |" in report
    assert any("2 since a copy carries another label" in note for note in listener.notes)
    # They share a picture, so they may be one patient: they stay in one group.
    group = prepared.index.table.set_index("id")["group"]
    assert group["ill4-0"] == group["well2-1"]
    assert_rows_agree(prepared)
    assert_rows_agree(load_prepared(competition, workspace))
    assert read_table(workspace.duplicates).empty


def test_images_are_left_out_to_the_same_bytes_and_decoded_once(
    data: Path, workspace: Workspace
) -> None:
    class Counter(Silent):
        """Counts the images that are decoded."""

        decoded = 0

        def advance(self, items: int = 1) -> None:
            self.decoded += items

    copy_brightened(data, "well/well2-0.png", "ill/ill4-9.jpg", "ill4")
    counter, competition = Counter(), load_competition(data)
    prepare_competition(competition, workspace, OPTIONS, counter)
    first = files(workspace)
    assert counter.decoded == len(read_table(workspace.index)) + 2
    prepare_competition(competition, workspace, OPTIONS, counter)
    assert counter.decoded == len(read_table(workspace.index)) + 2
    assert files(workspace) == first


def test_compressed_images_are_prepared_to_the_same_files(
    data: Path, workspace: Workspace, tmp_path: Path
) -> None:
    copy_brightened(data, "well/well2-0.png", "ill/ill4-9.jpg", "ill4")
    other = Workspace(tmp_path / "other", "data")
    plain, compressed = prepare(data, workspace), prepare(data, other, cache="compressed")
    assert (plain.cache.form, compressed.cache.form) == ("plain", "compressed")
    np.testing.assert_array_equal(plain.cache.images, compressed.cache.images)
    wanted, made = (
        {name: data for name, data in files(each).items() if not name.startswith("cache/")}
        for each in (workspace, other)
    )
    assert made == wanted
    # What is there already stays, unless another form is wanted.
    assert prepare(data, other).cache.form == "compressed"
    again = prepare(data, other, cache="plain")
    assert again.cache.form == "plain"
    assert files(other) == files(workspace)


def test_two_labels_of_one_patient_are_no_conflict(data: Path, workspace: Workspace) -> None:
    def same_patient(table: pd.DataFrame) -> pd.DataFrame:
        both = table["group_id"].isin(["ill1", "well1"])
        return table.assign(group_id=table["group_id"].mask(both, "p1"))

    edit(data / "metadata.csv", same_patient)
    images = len(read_table(data / "metadata.csv"))
    assert len(prepare(data, workspace).index.table) == images


def test_a_class_of_which_all_images_leak_is_refused_by_name(
    data: Path, workspace: Workspace
) -> None:
    (data / "copied").mkdir()
    (data / "copied/x.png").write_bytes((data / "well/well2-0.png").read_bytes())
    with pytest.raises(DataError, match=r"copied.*since a copy carries another label"):
        prepare(data, workspace)


def test_without_a_test_set_nothing_is_hidden(data: Path, workspace: Workspace) -> None:
    prepared = prepare(data, workspace, test=0.0)
    assert set(prepared.index.table["split"]) == {"train"}
    assert len(prepared.fold) == len(prepared.index.table)
    assert not workspace.solution.exists()


def test_another_seed_splits_otherwise_and_another_size_is_another_cache(
    data: Path, workspace: Workspace
) -> None:
    first = prepare(data, workspace)
    seeded = prepare(data, workspace, seed=1)
    assert seeded.cache.key == first.cache.key
    assert not np.array_equal(seeded.index.rows("test"), first.index.rows("test"))
    sized = prepare(data, workspace, size=20)
    assert sized.cache.key != first.cache.key
    assert load_prepared(load_competition(data), workspace).cache.key == sized.cache.key


def own_test_set(root: Path, workspace: Workspace, share_a_picture: bool = False) -> Competition:
    """A challenge with a test folder, whose sample names images with their suffix."""
    for k, label in enumerate(("ill", "well")):
        (root / "train" / label).mkdir(parents=True)
        for i in range(6):
            cv2.imwrite(str(root / f"train/{label}/{label}{i}.png"), picture(100 * k + i))
    (root / "test").mkdir()
    for i in range(4):
        cv2.imwrite(str(root / f"test/{i}.png"), picture(0 if share_a_picture else 900 + i // 2))
    lines = ["id,label", *[f"{i}.png,ill" for i in range(4)]]
    (root / "sample.csv").write_text("\n".join(lines) + "\n")
    return Competition.model_validate(
        {
            "name": "challenge",
            "source": {"kind": "folder"},
            "classes": {"names": ["ill", "well"]},
            "layout": {"train": ["train/{class}/*"], "test": ["test/*"], "sample": "sample.csv"},
            "folder": root,
        }
    )


def test_a_brought_test_set_is_indexed_by_the_ids_of_its_sample(
    tmp_path: Path, workspace: Workspace
) -> None:
    competition = own_test_set(tmp_path / "raw", workspace)
    prepared = prepare_competition(competition, workspace, OPTIONS, Silent())
    test = prepared.index.rows("test")
    assert prepared.index.column("id", test) == [f"{i}.png" for i in range(4)]
    assert prepared.index.column("label", test) == [""] * 4
    assert not workspace.solution.exists()
    assert_rows_agree(prepared)


def test_duplicates_are_named_by_the_ids_of_the_index(tmp_path: Path, workspace: Workspace) -> None:
    competition = own_test_set(tmp_path / "raw", workspace)
    prepared = prepare_competition(competition, workspace, OPTIONS, Silent())
    duplicates = read_table(workspace.duplicates)
    assert len(duplicates) == 2
    assert {*duplicates["first"], *duplicates["second"]} <= set(prepared.index.ids)


def test_training_copies_of_a_brought_test_image_are_left_out(
    tmp_path: Path, workspace: Workspace
) -> None:
    competition = own_test_set(tmp_path / "raw", workspace, share_a_picture=True)
    listener = Listener()
    prepared = prepare_competition(competition, workspace, OPTIONS, listener)
    assert prepared.index.column("id", prepared.index.rows("test")) == [
        f"{i}.png" for i in range(4)
    ]
    assert "ill0" not in prepared.index.ids
    assert len(prepared.index.rows("train")) == 11
    out = read_table(workspace.left_out)
    assert out[["id", "label", "reason", "other", "other_label"]].to_numpy().tolist() == [
        ["ill0", "ill", "a copy of it is in the test set", "0.png", ""]
    ]
    assert any("1 since a copy of it is in the test set" in note for note in listener.notes)
    assert "pairs of a training and a test image, if the data come with a test set: 4" in (
        workspace.leaks.read_text()
    )
    assert_rows_agree(prepared)
    assert_rows_agree(load_prepared(competition, workspace))


def test_training_images_of_a_patient_of_a_brought_test_set_are_left_out(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = tmp_path / "raw"
    competition = own_test_set(root, workspace)
    rows = [("test/2.png", "p1"), ("train/well/well3.png", "p1"), ("train/well/well4.png", "p2")]
    write_table(root / "metadata.csv", pd.DataFrame(rows, columns=["path", "patient_id"]))
    prepared = prepare_competition(competition, workspace, OPTIONS, Silent())
    out = read_table(workspace.left_out)
    assert out[["id", "reason", "other"]].to_numpy().tolist() == [
        ["well3", "its patient or group is in the test set", "2.png"]
    ]
    assert set(prepared.index.ids) >= {"2.png", "3.png", "well4"}
    assert_rows_agree(prepared)


def test_broken_images_are_named_and_the_others_kept_decoded(
    data: Path, workspace: Workspace
) -> None:
    (data / "well/well3-0.png").write_bytes(b"")
    (data / "ill/ill1-1.png").write_bytes((data / "ill/ill1-1.png").read_bytes()[:80])
    with pytest.raises(BrokenImagesError) as caught:
        prepare(data, workspace)
    assert "ill/ill1-1.png" in str(caught.value)
    assert "well/well3-0.png" in str(caught.value)
    assert not workspace.prepared.exists()
    (partial,) = workspace.cache.iterdir()
    assert (~np.load(partial / "measures.npy")["done"]).sum() == 2


def test_skipped_broken_images_are_named_and_in_neither_index_nor_cache(
    data: Path, workspace: Workspace
) -> None:
    images = len(list(data.rglob("*.png")))
    broken = ["ill/ill1-1.png", "well/well0-0.png"]
    for path in broken:
        (data / path).write_bytes(b"not an image")
    listener, options = Listener(), replace(OPTIONS, skip_broken=True)
    prepared = prepare_competition(load_competition(data), workspace, options, listener)
    assert len(prepared.index.table) == images - 2
    assert not set(broken) & set(prepared.index.table["path"])
    assert all(any(path in note for note in listener.notes) for path in broken)
    assert_rows_agree(prepared)
    assert_rows_agree(load_prepared(load_competition(data), workspace))


def test_a_data_set_of_broken_images_alone_is_refused_even_when_they_may_be_skipped(
    data: Path, workspace: Workspace
) -> None:
    for path in data.rglob("*.png"):
        path.write_bytes(b"not an image")
    with pytest.raises(BrokenImagesError):
        prepare(data, workspace, skip_broken=True)


def test_classes_that_are_numbers_stand_in_their_order(
    tmp_path: Path, workspace: Workspace
) -> None:
    for number in range(11):
        (tmp_path / "data" / str(number)).mkdir(parents=True)
        for k in range(4):
            path = tmp_path / "data" / str(number) / f"{number}-{k}.png"
            cv2.imwrite(str(path), picture(100 * number + k))
    prepared = prepare(tmp_path / "data", workspace, test=0.0)
    assert prepared.competition.targets() == [str(number) for number in range(11)]


def test_another_folder_of_the_same_name_is_never_taken_for_the_first(
    data: Path, workspace: Workspace, tmp_path: Path
) -> None:
    prepare(data, workspace)
    other = tmp_path / "elsewhere" / data.name
    shutil.copytree(data, other)
    moved = load_prepared(load_competition(other), workspace)
    assert moved.root == other
    first = next(other.glob("ill/*.png"))
    cv2.imwrite(str(first), picture(999))
    with pytest.raises(DataError, match=f"{other}, prepared from {data}"):
        load_prepared(load_competition(other), workspace)
    with pytest.raises(DataError, match=f"{other}, prepared from {data}"):
        prepare(other, workspace)


def test_an_empty_folder_is_no_class_and_is_named(data: Path, workspace: Workspace) -> None:
    (data / "empty").mkdir()
    assert prepare(data, workspace).competition.targets() == list(PATIENTS)
    assert "Left out: empty/ without images." in read_json(workspace.prepared)["summary"]


def test_more_folds_than_a_class_has_patients_are_refused(data: Path, workspace: Workspace) -> None:
    with pytest.raises(DataError, match=r"'odd'.*for 7 folds"):
        prepare(data, workspace, folds=7, test=0.0)
    assert not workspace.prepared.exists()


def test_a_workspace_of_an_older_version_is_refused_with_the_verb(
    data: Path, workspace: Workspace
) -> None:
    prepare(data, workspace)
    values = read_json(workspace.prepared)
    write_json(workspace.prepared, {k: v for k, v in values.items() if k != "given"})
    with pytest.raises(
        MissingError, match=r"older version.*Run: python -m kagglecxr\.prepare data"
    ):
        load_prepared(load_competition(data), workspace)
    assert prepare(data, workspace).competition.targets() == list(PATIENTS)


def test_a_toml_that_was_moved_with_its_images_is_taken_up(
    data: Path, workspace: Workspace
) -> None:
    text = 'name = "data"\n[source]\nkind = "folder"\n'
    (data / "mine.toml").write_text(text)
    prepared = prepare_competition(
        load_competition(data / "mine.toml"), workspace, OPTIONS, Silent()
    )
    assert prepared.root == data.resolve()
    moved = data.rename(data.with_name("moved"))
    assert load_prepared(load_competition(moved / "mine.toml"), workspace).root == moved.resolve()
    cv2.imwrite(str(next(moved.glob("*/*.png"))), picture(999, size=20))
    with pytest.raises(DataError, match="other images"):
        load_prepared(load_competition(moved / "mine.toml"), workspace)


def test_a_data_folder_that_is_not_there_says_what_to_download(workspace: Workspace) -> None:
    competition = load_competition("covid19-radiography")
    advice = r"kagglecxr\.download data --work .*, .*tawsifurrahman/covid19-r.*--data"
    with pytest.raises(MissingError, match=advice):
        prepare_competition(competition, workspace, OPTIONS, Silent())
    by_hand = load_competition("covid-ct")
    with pytest.raises(MissingError, match=r"Download the repository .* with --data\.$"):
        data_folder(by_hand, workspace, None)
    absent = workspace.root / "absent"
    with pytest.raises(MissingError, match="absent"):
        data_folder(competition, workspace, absent)
    archive = workspace.root.parent / "data.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(DataError, match=r"data\.zip\. Unpack it"):
        data_folder(competition, workspace, archive)


def test_the_data_folder_is_the_given_one_or_the_competitions_or_raw(
    data: Path, workspace: Workspace
) -> None:
    workspace.raw.mkdir(parents=True)
    of_folder, preset = load_competition(data), load_competition("demo")
    assert data_folder(of_folder, workspace, None) == data.resolve()
    assert data_folder(of_folder, workspace, workspace.raw) == workspace.raw.resolve()
    assert data_folder(preset, workspace, None) == workspace.raw.resolve()


def test_loading_before_preparing_names_the_verb_to_run(data: Path, workspace: Workspace) -> None:
    with pytest.raises(MissingError, match=r"python -m kagglecxr\.prepare data"):
        load_prepared(load_competition(data), workspace)


def test_a_prepare_that_fails_takes_back_what_an_older_one_promised(
    data: Path, workspace: Workspace
) -> None:
    prepare(data, workspace)
    with pytest.raises(DataError):
        prepare(data, workspace, folds=7, test=0.0)
    with pytest.raises(MissingError):
        load_prepared(load_competition(data), workspace)


def test_classes_that_changed_since_are_refused(data: Path, workspace: Workspace) -> None:
    prepare(data, workspace)
    competition = load_competition(data).with_classes(["ill", "well"])
    with pytest.raises(DataError, match=r"changed.*other \[classes\].*kagglecxr\.prepare"):
        load_prepared(competition, workspace)


class TestEditedFiles:
    """What a user may have done to the files since."""

    @pytest.fixture
    def prepared(self, data: Path, workspace: Workspace) -> PreparedData:
        return prepare(data, workspace)

    def load(self, prepared: PreparedData, workspace: Workspace) -> PreparedData:
        return load_prepared(prepared.competition, workspace)

    def test_a_group_across_train_and_test_is_a_leak(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        test_group = prepared.index.column("group", prepared.index.rows("test"))[0]
        row = prepared.index.rows("train")[0]

        def change(table: pd.DataFrame) -> pd.DataFrame:
            table.loc[row, "group"] = test_group
            return table

        edit(workspace.index, change)
        with pytest.raises(LeakError, match="train and test"):
            self.load(prepared, workspace)

    def test_an_image_of_a_patient_moved_to_another_fold_is_a_leak(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        group = pd.Series(prepared.index.column("group", prepared.index.rows("train")))
        row = int(np.flatnonzero(group.duplicated())[0])

        def change(table: pd.DataFrame) -> pd.DataFrame:
            table.loc[row, "fold"] = str((int(table.loc[row, "fold"]) + 1) % 3)
            return table

        edit(workspace.folds, change)
        with pytest.raises(LeakError, match="fold"):
            self.load(prepared, workspace)

    def test_a_label_put_into_the_test_set_is_a_leak(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        row = prepared.index.rows("test")[0]
        edit(
            workspace.index,
            lambda table: table.assign(label=table["label"].mask(table.index == row, "ill")),
        )
        with pytest.raises(LeakError, match="labels of the test set"):
            self.load(prepared, workspace)

    def test_a_line_taken_out_of_the_index_is_refused(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        row = prepared.index.rows("test")[0]
        edit(workspace.index, lambda table: table.drop(index=row))
        with pytest.raises(DataError, match="different images"):
            self.load(prepared, workspace)

    def test_lines_of_the_index_in_another_order_never_mislabel_an_image(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        edit(workspace.index, lambda table: table[::-1])
        try:
            loaded = self.load(prepared, workspace)
        except DataError:
            return
        assert_rows_agree(loaded)

    def test_a_label_that_is_no_class_is_refused(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        row = prepared.index.rows("train")[0]
        edit(
            workspace.index,
            lambda table: table.assign(label=table["label"].mask(table.index == row, "Ill ")),
        )
        with pytest.raises(CxrError, match="Ill"):
            self.load(prepared, workspace).class_ids()

    @pytest.mark.parametrize("name", ["index.csv", "folds.csv"])
    def test_a_file_that_was_removed_is_refused_as_the_users_to_mend(
        self, prepared: PreparedData, workspace: Workspace, name: str
    ) -> None:
        (workspace.root / name).unlink()
        with pytest.raises(CxrError, match=name):
            self.load(prepared, workspace)

    def test_a_cache_that_was_removed_is_refused_with_the_verb(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        prepared.cache.folder.rename(workspace.root / "moved")
        with pytest.raises(DataError, match="run prepare again"):
            self.load(prepared, workspace)

    def test_folds_of_another_preparation_are_refused(
        self, prepared: PreparedData, workspace: Workspace
    ) -> None:
        edit(workspace.folds, lambda table: table[1:])
        with pytest.raises(DataError, match="different training images"):
            self.load(prepared, workspace)
