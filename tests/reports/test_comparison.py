"""The table that compares runs, in the rows of the practicals."""

import csv
import os
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.compare import compare as compare_verb
from kagglecxr.core.cli import make_app, run_app
from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import file_digest, read_table, write_table
from kagglecxr.core.intervals import bootstrap_interval
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Silent
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.schema import MetricChoice
from kagglecxr.ensembling.blends import equal_blend
from kagglecxr.ensembling.calibration import expected_calibration_error, fit_calibration
from kagglecxr.ensembling.ensemble_record import EnsembleRecord
from kagglecxr.ensembling.fitting import FittedEnsemble
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.ledger import LedgerEntry, write_ledger
from kagglecxr.reports import compared_models
from kagglecxr.reports.comparison import Comparison, compare_runs, to_markdown, write_comparison
from kagglecxr.reports.comparison_cells import cells_of
from kagglecxr.reports.comparison_page import render_comparison
from kagglecxr.reports.latency import Latency
from tests.reports.conftest import OUT_OF_FOLD, RECORD, TARGETS, TEST, MakeRun, save

ENTRY = LedgerEntry(
    "t1", "demo", "submissions/demo-cnn_small-0123.csv", "aa", local_score="0.750000"
)
WRITTEN = {
    "Model": "cnn_small",
    "Parameters": "1,234,567",
    "Model size (MB)": "4.94",
    "Folds": "2",
    "Training loss": "0.5123",
    "Training accuracy": "0.8123",
    "Validation loss": "0.6100",
    "Validation accuracy": "0.7500",
    "Out-of-fold balanced accuracy": "0.7222",
    "95 % interval": "0.3427 to 0.9812",
    "Apparent balanced accuracy": "",
    "Out-of-fold accuracy": "0.6667",
    "Gain of test-time augmentation": "",
    "Gain of the blend": "",
    "Log loss": f"{-np.log([0.9, 0.2, 0.6, 0.8, 0.05, 0.4]).mean():.4f}",
    "Log loss, calibrated": "",
    "Calibration error": "0.4500",
    "Calibration error, calibrated": "",
    "Training time (s)": "31",
    "Latency of one image (ms)": "",
    "Latency in a batch of 32 (ms an image)": "",
}
DEMO = load_competition("demo")
METRIC = "balanced_accuracy"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compared_models, "RESAMPLES", 50)


class Cells(HTMLParser):
    """The cells of a page's table, as a browser would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.is_open = False
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.rows[-1][-1] += data


def read_page(path: Path) -> Cells:
    cells = Cells()
    cells.feed(path.read_text(encoding="utf-8"))
    return cells


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "submissions" / "ledger.csv"


def compare(
    workspace: Workspace, ledger: Path, competition: Competition = DEMO, seed: int = 0
) -> Comparison:
    return compare_runs(competition, workspace, ledger, Silent(), seed=seed)


def page_of(comparison: Comparison, workspace: Workspace) -> str:
    return render_comparison(comparison, workspace, DEMO, 0, Silent())


def make_ensemble(
    workspace: Workspace, name: str, runs: Sequence[str], score: float, metric: str = METRIC
) -> Path:
    """Writes an ensemble that predicts as the hand-made run does."""
    folder = workspace.ensembles / name
    save(folder / "oof.npz", OUT_OF_FOLD)
    save(folder / "test.npz", TEST, is_labelled=False)
    combine = FittedEnsemble(equal_blend(len(runs)))
    EnsembleRecord(list(runs), combine, TARGETS, [], metric, score, score, "a.csv").write(folder)
    return folder


def column(workspace: Workspace, ledger: Path, name: str = RECORD.name) -> dict[str, str]:
    table = compare(workspace, ledger).table
    return dict(zip(table[""], table[name], strict=True))


def test_the_rows_of_a_run_by_hand(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    run = make_run()
    save(run / "test.npz", TEST, is_labelled=False)
    write_ledger(ledger, [replace(ENTRY, rank="2")])
    chosen = np.array([0.50, 0.40, 0.80, 1.00], np.float32).astype(np.float64)
    assert column(workspace, ledger) == WRITTEN | {
        "Test loss": f"{-np.log(chosen).mean():.4f}",
        "Test accuracy": "0.7500",
        "Test errors": "1",
        "Leaderboard score and rank": "0.7500, rank 2",
        "Background alone tells": "",
        "Fall of certainty on another background": "",
        "What it reads": "",
    }


def test_what_is_not_known_is_empty(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    make_run()
    assert column(workspace, ledger) == WRITTEN | {
        "Test loss": "",
        "Test accuracy": "",
        "Test errors": "",
        "Leaderboard score and rank": "",
        "Background alone tells": "",
        "Fall of certainty on another background": "",
        "What it reads": "",
    }


def test_a_metric_that_a_run_did_not_record_is_empty(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(metrics={"loss": 0.5, "accuracy": 0.8, "oof_accuracy": 0.7})
    cells = column(workspace, ledger)
    assert cells["Training loss"] == "0.5000"
    assert cells["Validation loss"] == ""


def test_runs_of_one_score_are_columns_the_oldest_first(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    for name, age in (("young", 300), ("old", 100), ("middle", 200)):
        run = make_run(name=name, model=f"model of {name}")
        os.utime(run / "run.json", (age, age))
    (workspace.runs / "unfinished").mkdir()
    table = compare(workspace, ledger).table
    assert list(table.columns) == ["", "old", "middle", "young"]
    assert table.iloc[0].tolist() == ["Model", "model of old", "model of middle", "model of young"]


def test_without_a_finished_run_the_verb_to_run_is_named(
    workspace: Workspace, ledger: Path
) -> None:
    (workspace.runs / "half").mkdir(parents=True)
    with pytest.raises(MissingError, match=r"kagglecxr\.train demo"):
        compare(workspace, ledger)


def test_a_damaged_record_is_named(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    run = make_run()
    (run / "run.json").write_text("{")
    with pytest.raises(DataError, match=RECORD.name):
        compare(workspace, ledger)


def test_damaged_predictions_are_named(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    (run / "test.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"test\.npz"):
        compare(workspace, ledger)


def test_predictions_of_another_test_part_are_not_scored(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", {name: TEST[name] for name in ("t0", "t1")}, is_labelled=False)
    assert column(workspace, ledger)["Test accuracy"] == ""


def test_without_a_solution_nothing_is_said_of_the_test(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", TEST, is_labelled=False)
    workspace.solution.unlink()
    assert column(workspace, ledger)["Test errors"] == ""


def test_the_order_of_the_predicted_images_does_not_matter(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", dict(reversed(TEST.items())), is_labelled=False)
    assert column(workspace, ledger)["Test accuracy"] == "0.7500"


@pytest.mark.parametrize(
    ("entries", "cell"),
    [
        ([ENTRY], "0.7500"),
        ([replace(ENTRY, rank="3")], "0.7500, rank 3"),
        ([replace(ENTRY, public_score="0.9", rank="1")], "0.9000, rank 1"),
        ([ENTRY, replace(ENTRY, time="t2", local_score="0.500000")], "0.5000"),
        ([replace(ENTRY, competition="umons")], ""),
        ([replace(ENTRY, file="submissions/demo-mean-0123.csv")], ""),
        ([replace(ENTRY, file="/elsewhere/demo-cnn_small-0123.csv")], "0.7500"),
        ([replace(ENTRY, local_score="")], "pending"),
        ([], ""),
    ],
)
def test_the_leaderboards_cell_is_the_latest_line_of_the_runs_own_submission(
    entries: list[LedgerEntry], cell: str, make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    write_ledger(ledger, entries)
    assert column(workspace, ledger)["Leaderboard score and rank"] == cell


def test_a_score_of_a_file_that_has_changed_since_is_marked(
    make_run: MakeRun, workspace: Workspace, ledger: Path, tmp_path: Path
) -> None:
    make_run()
    file = tmp_path / Path(ENTRY.file).name
    file.write_text("id,label\n")
    for sha256, cell in ((file_digest(file), "0.7500"), ("0", "0.7500 (an earlier version)")):
        write_ledger(ledger, [replace(ENTRY, file=str(file), sha256=sha256)])
        assert column(workspace, ledger)["Leaderboard score and rank"] == cell


def test_the_three_files_hold_the_same_cells(
    make_run: MakeRun,
    workspace: Workspace,
    ledger: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kagglecxr.reports.page.png_of", lambda *_: b"")
    make_run()
    save(make_run(name="vgg16-9", model="vgg16") / "test.npz", TEST, is_labelled=False)
    write_ledger(ledger, [replace(ENTRY, rank="2")])
    comparison = compare(workspace, ledger)
    table = comparison.table
    expected = [list(table.columns), *table.to_numpy().tolist()]
    paths = write_comparison(comparison, page_of(comparison, workspace), tmp_path)
    assert paths == [tmp_path / f"compare.{suffix}" for suffix in ("csv", "md", "html")]
    with paths[0].open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == expected
    lines = paths[1].read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [cells[0], *cells[2:]] == expected
    assert cells[1] == ["---"] * 3
    assert read_page(paths[2]).rows[: len(expected)] == expected


def test_names_cannot_break_the_markdown_table() -> None:
    lines = to_markdown(pd.DataFrame({"": ["Model"], "a|b": ["c|d"]})).splitlines()
    assert lines == ["|  | a\\|b |", "| --- | --- |", "| Model | c\\|d |"]


def test_the_best_is_the_first_column(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(name="worse")
    right = {name: (true, np.eye(3)[true].tolist()) for name, (true, _) in OUT_OF_FOLD.items()}
    save(make_run(name="better") / "oof.npz", right)
    (make_run(name="unscored") / "oof.npz").unlink()
    assert list(compare(workspace, ledger).table.columns[1:]) == ["better", "worse", "unscored"]


def test_the_competitions_metric_decides_and_less_may_be_better(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(name="sure")
    mild = {name: (true, [1 / 3] * 3) for name, (true, _) in OUT_OF_FOLD.items()}
    save(make_run(name="mild") / "oof.npz", mild)
    competition = DEMO.model_copy(update={"metric": MetricChoice(name="log_loss")})
    by_loss = compare(workspace, ledger, competition)
    assert list(by_loss.table.columns[1:]) == ["sure", "mild"]
    assert "Out-of-fold log loss" in by_loss.table[""].tolist()
    assert "sure is ahead of mild" in by_loss.sentences[1]


def test_the_interval_is_that_of_resampled_groups(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    index = read_table(workspace.index)
    write_table(workspace.index, index.assign(group=index["id"].str[0]))
    truth = np.array([true for true, _ in OUT_OF_FOLD.values()])
    probabilities = np.array([given for _, given in OUT_OF_FOLD.values()], np.float32)
    groups = np.array([name[0] for name in OUT_OF_FOLD], dtype=object)
    random = generator(3, "compare", RECORD.name)
    expected = bootstrap_interval(METRICS[METRIC], truth, probabilities, groups, random, 50)
    table = compare(workspace, ledger, seed=3).table.set_index("")
    assert table.loc["95 % interval", RECORD.name] == f"{expected.low:.4f} to {expected.high:.4f}"


def test_a_run_of_other_images_than_those_prepared_has_a_score_without_interval(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    index = read_table(workspace.index)
    write_table(workspace.index, index[index["id"] != "a0"])
    cells = column(workspace, ledger)
    assert cells["Out-of-fold balanced accuracy"] == "0.7222"
    assert cells["95 % interval"] == ""


def test_an_ensemble_is_a_column_of_sums_and_its_gain(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    wrong = {name: (true, [0.0, 0.5, 0.5]) for name, (true, _) in OUT_OF_FOLD.items()}
    for name in ("one", "two"):
        save(make_run(name=name) / "oof.npz", wrong)
    make_ensemble(workspace, "mean-12", ["one", "two"], score=0.9)
    comparison = compare(workspace, ledger)
    assert list(comparison.table.columns[1:]) == ["mean-12", "one", "two"]
    cells = column(workspace, ledger, "mean-12")
    assert cells["Model"] == "blend of cnn_small, cnn_small"
    assert cells["Parameters"] == "2,469,134"
    assert cells["Model size (MB)"] == "9.88"
    assert cells["Folds"] == "4"
    assert cells["Training loss"] == ""
    assert cells["Training time (s)"] == "61"
    assert cells["Apparent balanced accuracy"] == "0.9000"
    assert cells["Gain of the blend"] == f"{13 / 18 - 1 / 3:+.4f}"
    assert cells["Test errors"] == "1"
    assert column(workspace, ledger, "one")["Gain of the blend"] == ""


def test_an_ensemble_named_like_a_run_adds_no_column(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    make_ensemble(workspace, RECORD.name, [RECORD.name], score=0.7)
    assert list(compare(workspace, ledger).table.columns) == ["", RECORD.name]


def test_a_score_by_another_metric_is_not_shown(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    make_ensemble(workspace, "mean-12", [RECORD.name] * 2, score=0.9, metric="auc")
    assert column(workspace, ledger, "mean-12")["Apparent balanced accuracy"] == ""


@pytest.mark.parametrize("content", ["{", '{"runs": ["a"], "metric": "auc"}'])
def test_an_ensemble_that_cannot_be_read_is_left_out_in_one_sentence(
    content: str, make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    folder = make_ensemble(workspace, "mean-12", [RECORD.name], score=0.9)
    (folder / "blend.json").write_text(content)
    comparison = compare(workspace, ledger)
    assert list(comparison.table.columns) == ["", RECORD.name]
    assert comparison.explanation[-1].startswith("The ensemble mean-12 is left out. ")


def test_an_ensemble_of_a_run_that_is_gone_is_left_out(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    make_ensemble(workspace, "mean-12", [RECORD.name, "gone"], score=0.9)
    (note,) = compare(workspace, ledger).compared.notes
    assert "gone" in note


def test_what_views_gain_is_over_the_plain_image(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    title = "Gain of test-time augmentation"
    assert column(workspace, ledger)[title] == ""
    oof = Predictions.load(run / "oof.npz")
    plain = np.tile(np.array([0.8, 0.1, 0.1], np.float32), (6, 1))
    views = {"identity": plain, "hflip": 2 * oof.probabilities - plain}
    replace(oof, by_view=views).save(run / "oof.npz")
    assert column(workspace, ledger)[title] == f"{13 / 18 - 1 / 3:+.4f}"
    replace(oof, by_view={"identity": oof.probabilities}).save(run / "oof.npz")
    assert column(workspace, ledger)[title] == ""


def test_probabilities_are_calibrated_on_the_other_folds(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    folds = pd.DataFrame({"id": list(OUT_OF_FOLD), "fold": [0, 1, 0, 1, 0, 1]})
    write_table(run / "folds.csv", folds)
    probabilities = np.array([given for _, given in OUT_OF_FOLD.values()], np.float32)
    truth, fold = np.array([true for true, _ in OUT_OF_FOLD.values()]), folds["fold"].to_numpy()
    after = np.empty_like(probabilities)
    for number in (0, 1):
        own = fold == number
        fitted = fit_calibration("temperature", probabilities[~own], truth[~own])
        after[own] = fitted(probabilities[own])
    cells = column(workspace, ledger)
    assert cells["Log loss, calibrated"] == f"{METRICS['log_loss'](truth, after):.4f}"
    error = expected_calibration_error(after, truth)
    assert cells["Calibration error, calibrated"] == f"{error:.4f}"


def test_a_test_set_of_other_classes_is_not_scored(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    save(make_run() / "test.npz", TEST, is_labelled=False)
    solution = read_table(workspace.solution)
    write_table(workspace.solution, solution.assign(label="fracture"))
    assert column(workspace, ledger)["Test errors"] == ""


def test_the_latency_of_an_ensemble_is_the_sum_of_its_runs(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    for name in ("one", "two"):
        make_run(name=name)
    make_ensemble(workspace, "mean-12", ["one", "two"], score=0.9)
    compared = compare(workspace, ledger).compared
    latencies = {"one": Latency(0.01, 0.001, ""), "two": Latency(0.02, 0.002, "")}
    cells = {
        model.name: cells_of(model, compared, workspace, [], latencies) for model in compared.models
    }
    single, in_batch = "Latency of one image (ms)", "Latency in a batch of 32 (ms an image)"
    assert [cells[name][single] for name in ("one", "mean-12")] == ["10.0", "30.0"]
    assert [cells[name][in_batch] for name in ("two", "mean-12")] == ["2.0", "3.0"]


def test_the_verb_prints_the_table_and_the_verdict_and_names_the_page(
    make_run: MakeRun,
    workspace: Workspace,
    in_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("kagglecxr.reports.page.png_of", lambda *_: b"")
    make_run()
    make_ensemble(workspace, "old", [RECORD.name], score=0.9).joinpath("blend.json").write_text("")
    app = make_app("compare")
    app.default(compare_verb)
    assert run_app(app, ["demo", "--work", str(workspace.root)]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0] == f"|  | {RECORD.name} |"
    assert lines[-3].startswith(f"{RECORD.name} is the only one")
    assert lines[-2].startswith("The ensemble old is left out. ")
    page = workspace.root / "compare.html"
    assert lines[-1].startswith(f"Compared 1 run; open {page}. Next: ")
    assert page.is_file()
    assert output.err == ""
