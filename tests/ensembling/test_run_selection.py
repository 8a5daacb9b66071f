"""Names of runs and ensembles become runs; without any, the best run is chosen."""

from dataclasses import replace
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.ensembling.blends import WeightedBlend, equal_blend
from kagglecxr.ensembling.ensemble_record import EnsembleRecord
from kagglecxr.ensembling.fitting import FittedEnsemble
from kagglecxr.ensembling.run_selection import (
    choose_runs,
    export_name,
    named_runs,
    runs_to_blend,
)
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run
from tests.training.run_factories import make_run


class Notes(Silent):
    """A reporter that keeps its notes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    own = copy_demo(demo, tmp_path_factory.mktemp("selection"))
    random_run(own, "worse", 0.5, folds=0)
    random_run(own, "better", 0.6, folds=0)
    return own


def chosen(own: PreparedDemo, *names: str) -> list[str]:
    runs = choose_runs(own.prepared, own.workspace, names)
    assert all(run.parent == own.workspace.runs for run in runs)
    return [run.name for run in runs]


def test_without_names_the_best_out_of_fold_is_chosen(own: PreparedDemo) -> None:
    assert chosen(own) == ["better"]
    assert chosen(own, "worse", "better", "worse") == ["worse", "better"]


def test_without_any_run_the_verb_to_run_is_named(demo: PreparedDemo) -> None:
    with pytest.raises(MissingError, match=r"kagglecxr\.train demo"):
        chosen(demo)


def test_a_score_that_is_not_a_number_is_refused(own: PreparedDemo, tmp_path: Path) -> None:
    other = copy_demo(own, tmp_path)
    random_run(other, "failed", float("nan"), folds=0)
    with pytest.raises(SettingError, match=r"nan in .*failed"):
        chosen(other)


def test_an_ensemble_stands_for_its_runs(own: PreparedDemo) -> None:
    folder = own.workspace.ensembles / "mean-0123"
    mean = EnsembleRecord(
        ["better", "worse"], FittedEnsemble(equal_blend(2)), [], [], "auc", 0.5, 0.5, ""
    )
    mean.write(folder)
    assert chosen(own, "mean-0123") == ["better", "worse"]
    assert chosen(own, "worse", "mean-0123") == ["worse", "better"]
    weighted = FittedEnsemble(WeightedBlend([0.7, 0.3]))
    for more in (replace(mean, combine=weighted), replace(mean, views=["identity"])):
        more.write(folder)
        with pytest.raises(
            SettingError, match="ensemble demo better worse --blend mean --calibrate none"
        ):
            chosen(own, "mean-0123")
        assert [run.name for run in named_runs(own.workspace, ["mean-0123"])] == mean.runs
    (folder / "blend.json").write_text("{")
    with pytest.raises(DataError, match=r"blend\.json"):
        chosen(own, "mean-0123")


def test_all_runs_on_the_same_data_and_folds_are_blended_by_default(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    own = copy_demo(demo, tmp_path)
    same = [make_run(own, f"same-{seed}", seed) for seed in (0, 1)]
    fold_of = (own.prepared.fold + 1) % (own.prepared.fold.max() + 1)
    make_run(own, "folds", 2, fold_of)
    other = random_run(own, "images", folds=1)
    record = read_run(other)
    replace(record, data={"cache": "0123456789ab"}).write(other)
    soup = random_run(own, "soup", folds=1)
    assert not (soup / "oof.npz").exists()
    notes = Notes()
    assert runs_to_blend(own.prepared, own.workspace, [], notes) == same
    reasons = {"folds": "Name it to blend it", "images": "0123456789ab", "soup": "out-of-fold"}
    assert sorted(line.split()[0] for line in notes.lines) == sorted(reasons)
    for line in notes.lines:
        assert reasons[line.split()[0]] in line
    named = runs_to_blend(own.prepared, own.workspace, ["folds", "same-1"], notes)
    assert [run.name for run in named] == ["folds", "same-1"]
    assert notes.lines[-1].startswith("folds has other folds than those of prepare")


def test_a_run_that_is_unknown_or_not_finished_is_refused(own: PreparedDemo) -> None:
    with pytest.raises(UnknownNameError, match=r"'bettr'.*better"):
        chosen(own, "bettr")
    (own.workspace.runs / "begun").mkdir(exist_ok=True)
    with pytest.raises(MissingError, match=r"not finished.*begun"):
        chosen(own, "begun")


@pytest.mark.parametrize(
    ("names", "runs", "fold", "name"),
    [
        ([], ["better"], None, "demo-better"),
        (["better"], ["better"], 1, "demo-better-fold-1"),
        (["mean-0123"], ["better", "worse"], 0, "demo-mean-0123-fold-0"),
        (["better", "worse"], ["better", "worse"], None, "demo-mean-e1a03b39"),
    ],
)
def test_an_exported_file_has_the_name_of_what_is_in_it(
    names: list[str], runs: list[str], fold: int | None, name: str
) -> None:
    assert export_name("demo", names, [Path("runs") / run for run in runs], fold) == name
