"""The whole exploration: its files, what they tell, and what they must not."""

import dataclasses
import html
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.index import Index
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.shift.adversarial_validation import compare_splits, describe
from kagglecxr.reports.eda import eda_report as exploration_report
from kagglecxr.reports.eda.eda_report import explore_data
from kagglecxr.reports.eda.image_grids import read_pairs, read_sample
from kagglecxr.reports.eda.image_sections import duplicates_section
from kagglecxr.reports.eda.tables import labelled_duplicates
from tests.conftest import PreparedDemo
from tests.reports.test_page import Page

ALWAYS = {
    "index.html", "classes.csv", "sources.csv", "sizes.csv", "brightness.csv", "pixels.csv",
    "duplicates.csv", "shift.csv", "class-counts.png", "image-sizes.png", "pixels-by-class.png",
    "pixels-equalised.png", "mean-by-class.png",
}  # fmt: skip


def make_workspace(demo: PreparedDemo, folder: Path) -> Workspace:
    """A workspace that has the demo's duplicates and no solution at all."""
    workspace = Workspace(folder / "work", "demo")
    workspace.root.mkdir()
    shutil.copy(demo.workspace.duplicates, workspace.duplicates)
    return workspace


def explore(prepared: PreparedData, workspace: Workspace) -> Page:
    explored = explore_data(prepared, workspace, Silent(), seed=0)
    assert explored.page == workspace.root / "explore" / "index.html"
    assert f"open {explored.page}." in explored.summary
    return Page(explored.page.read_text(encoding="utf-8"))


def contents(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace.root / "explore").iterdir()}


def is_blank(path: Path) -> bool:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return picture is None or len(np.unique(picture)) < 10


@pytest.fixture
def workspace(demo: PreparedDemo, tmp_path: Path) -> Workspace:
    return make_workspace(demo, tmp_path)


@pytest.fixture(scope="module")
def explored(
    demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Page, Workspace]:
    """The demo's exploration. Only to be read."""
    workspace = make_workspace(demo, tmp_path_factory.mktemp("explored"))
    return explore(demo.prepared, workspace), workspace


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered, for tests of words."""

    def save(figure: Figure, path: Path) -> None:
        path.write_bytes(repr(figure.axes).encode())

    monkeypatch.setattr(exploration_report, "save_figure", save)


def test_the_demos_files_and_every_picture_on_the_page(
    demo: PreparedDemo, explored: tuple[Page, Workspace]
) -> None:
    page, workspace = explored
    files = set(contents(workspace))
    classes = demo.prepared.competition.classes.names
    assert files - {"duplicates.png"} == ALWAYS | {
        "class-by-source.png", "mean-by-source.png", "pixels-masked.png", "shift.png",
        *(f"extremes-{number}.png" for number in range(1, len(classes) + 1)),
    }  # fmt: skip
    pictures = [name for name in files if name.endswith(".png")]
    assert len(page.values("img", "src")) == len(pictures)
    assert all(page.values("img", "alt"))
    assert not [name for name in pictures if is_blank(workspace.root / "explore" / name)]


def test_the_page_begins_with_what_was_taken_for_what(
    demo: PreparedDemo, explored: tuple[Page, Workspace]
) -> None:
    summary, patients = demo.prepared.summary
    assert summary.startswith("Data: {class}/images/*.png for training. Masks: ")
    assert patients.startswith("Patients: ")
    text = contents(explored[1])["index.html"].decode()
    assert f"<p>{html.escape(summary)} {html.escape(patients)} What" in text


@pytest.mark.slow
def test_exploring_again_gives_the_same_bytes(
    demo: PreparedDemo, explored: tuple[Page, Workspace], workspace: Workspace
) -> None:
    explore(demo.prepared, workspace)
    assert contents(workspace) == contents(explored[1])


def test_the_page_and_its_table_say_how_test_images_differ(
    demo: PreparedDemo, explored: tuple[Page, Workspace]
) -> None:
    page, workspace = explored
    shift = compare_splits(demo.prepared, generator(0, "shift"))
    assert shift is not None
    assert describe(shift) in page.texts
    table = pd.read_csv(workspace.root / "explore" / "shift.csv")
    assert table["told_by"].tolist() == [
        "acquisition, all", "image content, all", *shift.features["feature"],
    ]  # fmt: skip
    assert table["low"].notna().tolist() == [True, True] + [False] * len(shift.features)
    np.testing.assert_allclose(table["train"][2:], shift.features["train"], atol=1e-6)


def test_another_seed_draws_other_images(demo: PreparedDemo) -> None:
    rows = demo.prepared.index.rows("train")
    drawn = [
        [shown.title for shown in read_sample(demo.prepared, rows, seed)] for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_of_the_test_part_no_image_is_named(
    demo: PreparedDemo, explored: tuple[Page, Workspace]
) -> None:
    page, workspace = explored
    index = demo.prepared.index
    ids = set(index.column("id", index.rows("test")))
    words = " ".join([*page.texts, *page.values("img", "alt")]).replace(";", " ").replace(",", " ")
    assert ids
    assert not ids & set(words.split())
    assert not ids & set(read_table(workspace.root / "explore" / "brightness.csv")["id"])


def test_the_distribution_of_each_class_and_of_the_test_set(
    demo: PreparedDemo, explored: tuple[Page, Workspace]
) -> None:
    pixels = pd.read_csv(explored[1].root / "explore" / "pixels.csv")
    classes = demo.prepared.competition.classes.names
    assert list(pixels.columns) == ["grey", *classes, "test set"]
    np.testing.assert_allclose(pixels.drop(columns="grey").sum(), 1.0, atol=2e-4)
    images = demo.prepared.cache.images[demo.prepared.index.rows("test")]
    expected = np.bincount(images.ravel(), minlength=256) / images.size
    np.testing.assert_allclose(pixels["test set"], expected, atol=1e-6)


def test_brightness_is_of_the_files(demo: PreparedDemo, explored: tuple[Page, Workspace]) -> None:
    table = read_table(explored[1].root / "explore" / "brightness.csv")
    means = [read_image(demo.prepared.root / path).mean() for path in table["path"]]
    np.testing.assert_allclose(table["mean_grey"].astype(float), means, atol=0.1)


def test_an_image_that_is_gone_is_named(
    demo: PreparedDemo, workspace: Workspace, tmp_path: Path
) -> None:
    elsewhere = dataclasses.replace(demo.prepared, root=tmp_path / "gone")
    with pytest.raises(MissingError, match="gone"):
        explore(elsewhere, workspace)


def test_without_its_table_of_duplicates_the_verb_to_run_is_named(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    with pytest.raises(MissingError, match=r"kagglecxr\.prepare"):
        explore(demo.prepared, Workspace(tmp_path, "demo"))


def test_duplicates_of_other_data_are_refused(demo: PreparedDemo, workspace: Workspace) -> None:
    strange = pd.DataFrame({"first": ["x"], "second": ["y"], "distance": 0, "correlation": 1.0})
    write_table(workspace.duplicates, strange)
    with pytest.raises(DataError, match="x, y"):
        explore(demo.prepared, workspace)


@pytest.mark.usefixtures("undrawn")
def test_pairs_of_the_training_part_are_shown_and_those_of_the_test_part_not(
    demo: PreparedDemo, workspace: Workspace
) -> None:
    index = demo.prepared.index
    (a, b), (c, d) = (index.column("id", index.rows(split))[:2] for split in ("train", "test"))
    duplicates = pd.DataFrame(
        {"first": [a, c], "second": [b, d], "distance": 0, "correlation": 1.0}
    )
    write_table(workspace.duplicates, duplicates)
    page = explore(demo.prepared, workspace)
    (alt,) = [alt for alt in page.values("img", "alt") if alt.startswith("Pairs")]
    assert a in alt
    assert b in alt
    assert c not in alt
    assert any("2 pairs of images" in sentence for sentence in page.texts)
    of_test = labelled_duplicates(duplicates.iloc[1:], index)
    assert read_pairs(demo.prepared, of_test) == []
    assert duplicates_section(of_test, []).pictures == ()


def prepare(folder: Path, pipeline: str) -> tuple[PreparedData, Workspace]:
    workspace = Workspace(folder.parent / "work", folder.name)
    request = PrepareOptions(folder, 24, pipeline, 0.0, 2, False, 0)
    prepared = prepare_competition(load_competition(str(folder)), workspace, request, Silent())
    return prepared, workspace


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Colour images of several sizes: no masks, no sources, no test set, odd names."""
    chance = np.random.default_rng(0)
    for name in ("normal $x_y$", "<b>ill</b>"):
        (tmp_path / "bare" / name).mkdir(parents=True)
        for number in range(4):
            pixels = chance.integers(0, 256, (40 + number, 30, 3)).astype(np.uint8)
            stem = f"{name[:2].strip('<')}-{number}-with-a-name-longer-than-any-panel"
            cv2.imwrite(str(tmp_path / "bare" / name / f"{stem}.png"), pixels)
    return tmp_path / "bare"


@pytest.mark.parametrize("pipeline", ["gray | resize", "resize"])
def test_a_folder_without_masks_sources_and_test_set(bare: Path, pipeline: str) -> None:
    prepared, workspace = prepare(bare, pipeline)
    folder = workspace.root / "explore"
    folder.mkdir()
    for left in ("pixels-masked", "extremes-3", "mean-by-source", "shift", "a-users-own"):
        (folder / f"{left}.png").write_bytes(b"")
    page = explore(prepared, workspace)
    expected = ALWAYS | {"extremes-1.png", "extremes-2.png", "a-users-own.png"}
    assert set(contents(workspace)) == expected
    assert "b" not in page.tags
    assert any("do not say where" in sentence for sentence in page.texts)
    assert read_table(folder / "sources.csv").empty
    assert read_table(folder / "shift.csv").empty
    assert "Training and test images" not in page.texts
    assert "test set" not in read_table(folder / "pixels.csv")
    assert not [name for name in expected if name[0] == "m" and is_blank(folder / name)]


@pytest.mark.usefixtures("undrawn")
def test_a_class_of_one_image_and_images_without_a_mask(
    demo: PreparedDemo, workspace: Workspace
) -> None:
    table = demo.prepared.index.table.copy()
    classes = demo.prepared.competition.classes.names
    rows = demo.prepared.index.rows("train")
    labels = np.array(demo.prepared.index.column("label", rows))
    of_first = rows[labels == classes[0]]
    table.loc[of_first[1:], "label"] = classes[1]
    table.loc[of_first, "mask"] = ""
    page = explore(dataclasses.replace(demo.prepared, index=Index(table)), workspace)
    brightness = read_table(workspace.root / "explore" / "brightness.csv")
    assert (brightness["class"] == classes[0]).sum() == 1
    assert any("None of them has a mask" in sentence for sentence in page.texts)
    assert any("never mask only" in sentence for sentence in page.texts)


def test_exploring_needs_no_keras() -> None:
    code = "import sys, kagglecxr.reports.eda.eda_report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras"} & set(done.stdout.split())


@pytest.fixture
def findings(tmp_path: Path) -> Path:
    """Images with two findings from two hospitals, one of which has all masses."""
    chance = np.random.default_rng(0)
    (tmp_path / "few" / "images").mkdir(parents=True)
    lines = ["image,Edema,Mass,source"]
    for number in range(24):
        pixels = chance.integers(0, 256, (32, 32 + number % 2)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "few" / "images" / f"{number}.png"), pixels)
        edema = -1 if number == 0 else number % 3 == 0
        lines.append(f"{number},{edema:d},{number % 2},{'north' if number % 2 else 'south'}")
    (tmp_path / "few" / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "few.toml").write_text(
        'name = "few"\n[source]\nkind = "folder"\n[classes]\nmultilabel = true\n'
        'uncertain = "ignore"\n'
        'names = ["Edema", "Mass"]\n[layout]\ntrain = ["images/*"]\nlabels = "labels.csv"\n'
    )
    return tmp_path / "few.toml"


def test_findings_are_counted_shown_together_and_by_source(findings: Path) -> None:
    workspace = Workspace(findings.parent / "work", "few")
    options = PrepareOptions(findings.with_suffix(""), 24, "gray | resize", 0.0, 2, False, 0)
    competition = load_competition(str(findings))
    prepared = prepare_competition(competition, workspace, options, Silent())
    page = explore(prepared, workspace)
    own = {
        "numbers.csv", "cooccurrence.csv", "facts.csv", "findings-per-image.png", "examples.png",
        "cooccurrence.png", "findings-by-source.png", "mean-by-source.png", "extremes-1.png",
        "extremes-2.png",
    }  # fmt: skip
    folder = workspace.root / "explore"
    files = set(contents(workspace))
    assert files == ALWAYS | own
    assert not [name for name in files if name.endswith(".png") and is_blank(folder / name)]
    counts = read_table(folder / "classes.csv").set_index("class")
    assert counts["images"].to_dict() == {"Edema": "7", "Mass": "12", "No Finding": "8"}
    assert counts["not_known"].to_dict() == {"Edema": "1", "Mass": "0", "No Finding": "1"}
    facts = pd.read_csv(folder / "facts.csv").set_index(["finding", "by"])
    assert facts.loc[("Mass", "source"), "cramers_v"] == pytest.approx(1.0)
    assert facts["auc"][[("Mass", "source"), ("Mass", "size")]].tolist() == [1.0, 1.0]
    assert any("Mass the highest with 1.00" in sentence for sentence in page.texts)
    assert "Findings together" in page.texts
