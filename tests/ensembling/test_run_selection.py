"""Names of runs and ensembles become runs; without any, the best run is chosen."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError, UnknownNameError
from kagglecxr.core.files import write_json
from kagglecxr.ensembling.run_selection import choose_runs, export_name
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run


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
    blend = own.workspace.ensembles / "mean-0123" / "blend.json"
    write_json(blend, {"runs": ["better", "worse"], "metric": "auc"})
    assert chosen(own, "mean-0123") == ["better", "worse"]
    assert chosen(own, "worse", "mean-0123") == ["worse", "better"]
    write_json(blend, {"runs": ["better", "worse"], "weights": [0.7, 0.3]})
    with pytest.raises(SettingError, match="weights"):
        chosen(own, "mean-0123")
    blend.write_text("{")
    with pytest.raises(DataError, match=r"blend\.json"):
        chosen(own, "mean-0123")


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
