"""A run's record: written, read again, refused when damaged."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.run_record import (
    RunRecord,
    finished_runs,
    fold_folder,
    read_run,
    segments,
    unreadable_predictions,
)


@pytest.fixture
def record() -> RunRecord:
    return RunRecord(
        name="cnn_small-0123",
        competition="demo",
        model="cnn_small",
        recipe={"model": "cnn_small", "epochs": 3, "views": ["identity"]},
        seed=7,
        folds=2,
        targets=["covid-19", "normal"],
        input_shape=(48, 48, 1),
        data={"index": "aa", "folds": "bb", "cache": "cc"},
        parameters={"all": 100, "trainable": 90},
        megabytes=0.25,
        versions={"python": "3.11"},
        machine={"backend": "tensorflow", "devices": []},
        seconds=[1.5, 2.5],
        metrics={"loss": 0.5, "oof_accuracy": 0.75},
    )


def test_a_record_is_read_as_it_was_written(record: RunRecord, tmp_path: Path) -> None:
    record.write(tmp_path / "run")
    assert read_run(tmp_path / "run") == record


def test_the_record_is_json_a_person_can_read(record: RunRecord, tmp_path: Path) -> None:
    record.write(tmp_path)
    text = (tmp_path / "run.json").read_text()
    assert json.loads(text)["metrics"] == {"loss": 0.5, "oof_accuracy": 0.75}
    assert '\n  "seed": 7,\n' in text


def test_the_record_alone_makes_a_run_finished(record: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    record.write(tmp_path / "whole")
    assert finished_runs(tmp_path) == [tmp_path / "whole"]


def test_runs_of_masks_are_listed_by_themselves(record: RunRecord, tmp_path: Path) -> None:
    masks = dataclasses.replace(record, recipe=record.recipe | {"segmentation": {"size": 224}})
    none = dataclasses.replace(record, recipe=record.recipe | {"segmentation": None})
    for name, one in (("older", record), ("masks", masks), ("none", none)):
        one.write(tmp_path / name)
    assert {run.name for run in finished_runs(tmp_path)} == {"older", "none"}
    assert finished_runs(tmp_path, segmentation=True) == [tmp_path / "masks"]


@pytest.mark.parametrize("damage", ["", "[1, 2]", "null", "{}", '{"recipe": null}', "\xff\xfe"])
def test_a_run_of_a_damaged_record_is_listed_so_that_reading_it_says_so(
    damage: str, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(damage.encode("latin-1"))
    assert finished_runs(tmp_path) == [tmp_path / "run"]
    assert finished_runs(tmp_path, segmentation=True) == []
    assert not segments(tmp_path / "nowhere")


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert finished_runs(tmp_path / "runs") == []


def test_runs_come_oldest_first_and_by_name_where_they_are_of_one_age(
    record: RunRecord, tmp_path: Path
) -> None:
    for name, age in (("young", 300), ("b", 200), ("a", 200), ("old", 100)):
        record.write(tmp_path / name)
        os.utime(tmp_path / name / "run.json", (age, age))
    assert [run.name for run in finished_runs(tmp_path)] == ["old", "a", "b", "young"]


def test_a_folds_folder_is_named_by_its_number(tmp_path: Path) -> None:
    assert fold_folder(tmp_path, 3) == tmp_path / "fold-3"


@pytest.mark.parametrize(
    "damage",
    [
        "",
        '{"name": "cnn',
        "[1, 2]",
        '"text"',
        "null",
        "{}",
        '{"input_shape": null}',
        '{"input_shape": [1, 2, 3]}',
        "\xff\xfe",
    ],
)
def test_a_damaged_record_is_refused_in_one_line_that_names_it(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(damage.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read_run(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_of_another_version_is_refused(record: RunRecord, tmp_path: Path) -> None:
    record.write(tmp_path)
    path = tmp_path / "run.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"from_the_future": 1}))
    with pytest.raises(DataError, match="from_the_future"):
        read_run(tmp_path)
    values.pop("seed")
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="seed"):
        read_run(tmp_path)


def test_an_absent_record_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run\.json"):
        read_run(tmp_path / "nowhere")


def test_what_brings_predictions_back_is_said() -> None:
    told = unreadable_predictions(Path("runs/net/oof.npz"))
    assert "Remove runs/net/run.json and run the command that trained it" in told
    told = unreadable_predictions(Path("runs/net/test.npz"))
    assert "Received: runs/net/test.npz. Remove it and run the step" in told
