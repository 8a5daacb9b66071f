"""The report of a finished run, its figures known by hand."""

from pathlib import Path

import cv2
import pandas as pd
import pytest

from kagglecxr.core.errors import CxrError, DataError
from kagglecxr.core.files import read_table
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.run_report import list_errors, report_run
from tests.reports.conftest import OUT_OF_FOLD, RECORD, MakeRun, save

PICTURES = ["learning_curves.png", "confusion.png", "error_by_class.png"]
TABLES = ["classes.csv", "errors.csv"]


def test_all_files_of_a_report_are_there(make_run: MakeRun) -> None:
    run = make_run()
    assert report_run(run) == [run / name for name in PICTURES + TABLES]
    assert all((run / name).stat().st_size > 0 for name in PICTURES + TABLES)


def test_the_pictures_are_pictures_and_not_blank(make_run: MakeRun) -> None:
    run = make_run()
    report_run(run)
    for name in PICTURES:
        image = cv2.imread(str(run / name), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        assert min(image.shape) > 100
        assert image.std() > 5
        assert image.max() == 255


def test_the_table_of_classes_by_hand(make_run: MakeRun) -> None:
    run = make_run()
    report_run(run)
    assert (run / "classes.csv").read_text().splitlines() == [
        "class,images,wrong,error,precision,recall,f1,auc,average_precision",
        "covid-19,3,1,0.3333,1.0,0.6667,0.8,0.8889,0.9167",
        "normal,2,1,0.5,0.5,0.5,0.5,0.5625,0.6667",
        "viral-pneumonia,1,0,0.0,0.5,1.0,0.6667,0.8,0.5",
    ]


def test_the_errors_are_listed_the_surest_first(make_run: MakeRun) -> None:
    run = make_run()
    report_run(run)
    assert (run / "errors.csv").read_text().splitlines() == [
        "id,true,predicted,confidence,true_probability",
        "b1,normal,viral-pneumonia,0.9,0.05",
        "a1,covid-19,normal,0.7,0.2",
    ]


def test_a_run_without_errors_has_an_empty_list_of_them(make_run: MakeRun) -> None:
    run = make_run()
    right = {name: images for name, images in OUT_OF_FOLD.items() if name not in ("a1", "b1")}
    save(run / "oof.npz", right)
    report_run(run)
    errors = read_table(run / "errors.csv")
    assert list(errors.columns) == ["id", "true", "predicted", "confidence", "true_probability"]
    assert errors.empty


def test_a_class_that_was_never_seen_keeps_its_line(make_run: MakeRun) -> None:
    run = make_run()
    save(run / "oof.npz", {name: OUT_OF_FOLD[name] for name in ("a0", "a2", "b0")})
    report_run(run)
    lines = (run / "classes.csv").read_text().splitlines()
    assert lines[3] == "viral-pneumonia,0,0,0.0,0.0,0.0,0.0,,"


def test_reporting_again_gives_the_same_bytes(make_run: MakeRun) -> None:
    run = make_run()
    first = {path: path.read_bytes() for path in report_run(run)}
    assert {path: path.read_bytes() for path in report_run(run)} == first


def test_a_report_leaves_no_litter_and_changes_nothing_else(make_run: MakeRun) -> None:
    run = make_run()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    written = set(report_run(run))
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert set(after) == set(before) | written
    assert all(after[path] == content for path, content in before.items())


def test_every_fold_is_drawn(make_run: MakeRun) -> None:
    run = make_run()
    report_run(run)
    with_two = (run / "learning_curves.png").read_bytes()
    history = pd.read_csv(run / "fold-1" / "history.csv")
    history.assign(loss=3.0).to_csv(run / "fold-1" / "history.csv", index=False)
    report_run(run)
    assert (run / "learning_curves.png").read_bytes() != with_two


def test_a_run_that_is_not_finished_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    (run / "run.json").unlink()
    with pytest.raises(DataError, match=r"run\.json"):
        report_run(run)
    assert not (run / "classes.csv").exists()


@pytest.mark.parametrize("name", ["oof.npz", "fold-1/history.csv"])
def test_a_file_that_went_missing_is_the_users_to_mend(name: str, make_run: MakeRun) -> None:
    run = make_run()
    (run / name).unlink()
    with pytest.raises(CxrError, match=Path(name).name):
        report_run(run)


def test_equally_sure_errors_keep_the_order_of_the_images(tmp_path: Path) -> None:
    unsure = [0.2, 0.8, 0.0]
    save(tmp_path / "oof.npz", {"z": (0, unsure), "a": (2, unsure), "m": (0, [0.1, 0.9, 0.0])})
    oof = Predictions.load(tmp_path / "oof.npz")
    assert list_errors(oof, RECORD.targets)["id"].tolist() == ["m", "z", "a"]
