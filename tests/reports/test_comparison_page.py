"""The page of a comparison: whole in itself, readable, and unharmed by names and gaps."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import file_digest, read_table, write_json, write_table
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import FORMAT
from kagglecxr.reports import compared_models
from tests.reports.conftest import OUT_OF_FOLD, RECORD, MakeRun, save
from tests.reports.test_comparison import Cells, compare, make_ensemble, page_of
from tests.reports.test_page import Page

STRANGE = "<script>alert('x')</script> & \"b\" $x$"
PICTURE = b"\x89PNG"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compared_models, "RESAMPLES", 50)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without the slow part: each picture is four bytes."""
    monkeypatch.setattr("kagglecxr.reports.page.png_of", lambda *_: PICTURE)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.csv"


def write_cache(workspace: Workspace) -> dict[str, str]:
    """Writes a cache of the index's images; the data that a run's record would name."""
    index = read_table(workspace.index)
    folder = workspace.cache / "cc"
    write_json(folder / "cache.json", {"format": FORMAT})
    np.save(folder / "images.npy", np.zeros((len(index), 48, 48), np.uint8))
    np.save(folder / "measures.npy", np.zeros(len(index)))
    return {"index": file_digest(workspace.index), "cache": "cc"}


def alternatives(page: str) -> list[str]:
    return re.findall('<img alt="([^"]*)"', page)


def titles(page: str) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", page)


@pytest.mark.usefixtures("undrawn")
def test_two_runs_and_an_ensemble_have_all_sections(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    data = write_cache(workspace)
    folds = pd.DataFrame({"id": list(OUT_OF_FOLD), "fold": [0, 1, 0, 0, 1, 1]})
    for name in ("one", "two"):
        write_table(make_run(name=name, data=data) / "folds.csv", folds)
    make_ensemble(workspace, "mean-12", ["one", "two"], score=0.7)
    page = page_of(compare(workspace, ledger), workspace)
    assert titles(page) == [
        "Scores",
        "All runs and ensembles",
        "Learning curves",
        "Errors by class",
        "ROC and precision-recall curves",
        "Calibration",
        "Thresholds",
        "All metrics",
        "Most confident errors",
    ]
    # Scores and errors; curves of 2 runs; classes, curves and reliability of 3.
    assert len(alternatives(page)) == 2 + 2 + 3 * 3
    assert "Images b1, a1." in alternatives(page)
    text = " ".join(Page(page).texts)
    assert "have the same balanced accuracy, 0.7222" in text
    assert "Moving the thresholds gains" in text
    assert "nested sensitivity" in text


def test_a_page_is_drawn_and_whole_in_itself(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(data=write_cache(workspace), targets=["$x", "$\\y$", "肺炎"])
    page = page_of(compare(workspace, ledger), workspace)
    sources = re.findall('src="([^"]*)"', page)
    assert len(sources) == 6
    for source in sources:
        assert source.startswith("data:image/png;base64,")
    assert "http" not in page
    assert not {"link", "script", "iframe"} & set(Page(page).tags)
    assert "width=device-width" in page


@pytest.mark.usefixtures("undrawn")
def test_the_same_workspace_gives_the_same_page(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    first, again = (page_of(compare(workspace, ledger), workspace) for _ in range(2))
    assert again == first


@pytest.mark.usefixtures("undrawn")
def test_the_first_sentence_says_which_is_best_and_the_second_whether_it_is_luck(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(name="worse")
    right = {name: (true, np.eye(3)[true].tolist()) for name, (true, _) in OUT_OF_FOLD.items()}
    save(make_run(name="better") / "oof.npz", right)
    comparison = compare(workspace, ledger)
    best, lead = comparison.sentences
    assert best == (
        "better is the best of 2 runs: balanced accuracy 1.0000 (95 % interval 1.0000 to 1.0000) "
        "on 6 training images, each predicted by a model that has not seen it."
    )
    assert lead.startswith("better is ahead of worse by 0.2778 balanced accuracy")
    assert lead.endswith("6 images): it could be luck.")
    assert f"{best} {lead}" in page_of(comparison, workspace).replace("&#x27;", "'")


@pytest.mark.usefixtures("undrawn")
def test_a_single_run_is_compared_with_nothing(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    comparison = compare(workspace, ledger)
    (sentence,) = comparison.sentences
    assert sentence.startswith(f"{RECORD.name} is the only one with an out-of-fold score: ")
    page = page_of(comparison, workspace)
    assert "Their pictures are not shown" in page
    assert "nested sensitivity" not in page


@pytest.mark.usefixtures("undrawn")
def test_runs_of_different_images_are_not_tested_by_pairs(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(name="all")
    some = {name: OUT_OF_FOLD[name] for name in ("a0", "a1", "a2", "b0", "c0")}
    save(make_run(name="some") / "oof.npz", some)
    assert "cannot be tested" in compare(workspace, ledger).sentences[1]


@pytest.mark.usefixtures("undrawn")
def test_runs_without_any_out_of_fold_predictions_have_a_page(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    (run / "oof.npz").unlink()
    (run / "fold-1" / "history.csv").unlink()
    comparison = compare(workspace, ledger)
    assert comparison.sentences == [
        "None has an out-of-fold score, so none is known to be the best."
    ]
    page = page_of(comparison, workspace)
    assert titles(page) == ["All runs and ensembles", "Learning curves"]
    assert alternatives(page) == []


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_errors_says_so(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    right = {name: (true, np.eye(3)[true].tolist()) for name, (true, _) in OUT_OF_FOLD.items()}
    save(make_run() / "oof.npz", right)
    assert f"{RECORD.name} has no error." in page_of(compare(workspace, ledger), workspace)


@pytest.mark.usefixtures("undrawn")
def test_a_class_without_images_has_no_operating_points_and_no_area(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    two = {name: OUT_OF_FOLD[name] for name in ("a0", "a1", "a2", "b0", "b1")}
    save(make_run() / "oof.npz", two)
    page = page_of(compare(workspace, ledger), workspace)
    rows = read_rows(page)
    (line,) = [row for row in rows if row[:2] == [RECORD.name, "viral-pneumonia"]]
    assert line[-2:] == ["", ""]
    assert {row[0] for row in rows if "0.950" in row[1:2]} == {"covid-19", "normal"}


@pytest.mark.usefixtures("undrawn")
def test_all_metrics_are_listed_by_hand_and_by_name(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    rows = dict(
        row for row in read_rows(page_of(compare(workspace, ledger), workspace)) if len(row) == 2
    )
    assert rows["accuracy"] == "0.6667"
    assert rows["recall of viral-pneumonia"] == "1.0000"
    assert rows["95 % interval, percentile"] == "0.3427 to 0.9812"
    assert re.fullmatch(r"0\.\d{4} to [01]\.\d{4}", rows["95 % interval, BCa"])
    for name in METRICS.names():
        assert any(title.startswith(name.replace("_", " ")) for title in rows)


@pytest.mark.usefixtures("undrawn")
def test_names_cannot_break_the_page(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    make_run(targets=[STRANGE, "normal", "viral-pneumonia"], model=STRANGE)
    page = page_of(compare(workspace, ledger), workspace)
    assert "<script" not in page
    assert ["Model", STRANGE] in read_rows(page)


def read_rows(page: str) -> list[list[str]]:
    cells = Cells()
    cells.feed(page)
    return cells.rows
