"""What a search found can be read, and trained."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.workspace import Workspace
from kagglecxr.training.recipe import Recipe, load_recipe, make_recipe, recipe_names
from kagglecxr.training.search.results import (
    collect_results,
    describe_results,
    trials_table,
    write_best_recipe,
)
from kagglecxr.training.search.trial_queue import DUPLICATE_OF, ERROR, RECIPE, SECONDS
from tests.training.search.conftest import DISTRIBUTIONS


def finish(study: optuna.Study, rate: float, score: float, recipe: Recipe | None = None) -> None:
    study.enqueue_trial({"learning_rate": rate})
    trial = study.ask(DISTRIBUTIONS)
    chosen = recipe or make_recipe({}, [f"learning_rate={rate}"])
    trial.set_user_attr(RECIPE, chosen.model_dump(mode="json"))
    trial.set_user_attr(SECONDS, 12.0)
    study.tell(trial, score)


def test_the_best_is_the_least_where_less_is_better() -> None:
    for direction, rate in (("maximize", 1e-3), ("minimize", 1e-2)):
        study = optuna.create_study(direction=direction)
        for tried, score in ((1e-4, 0.5), (1e-3, 0.9), (1e-2, 0.1)):
            finish(study, tried, score)
        found = collect_results(study, "log_loss", 1)
        assert found.recipe.learning_rate == rate
        assert found.maximise == (direction == "maximize")


@pytest.mark.parametrize("name", recipe_names())
def test_the_recipe_that_is_written_is_the_one_that_was_tried(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["model_options.dropout=0.5", 'weights=["a", "Röntgen \\"b\\""]'])
    study = optuna.create_study(direction="maximize", study_name="demo-1")
    finish(study, 1e-3, 0.25, recipe)
    workspace = Workspace(tmp_path, "demo", "my demo")
    path, command = write_best_recipe(collect_results(study, "macro_f1", 1), workspace)
    assert load_recipe(str(path)) == recipe
    text = path.read_text(encoding="utf-8")
    assert "macro_f1\n# 0.2500 on the held-out images of fold 0" in text
    assert "# 12 s a fold" in text
    assert f"# {command}\n" in text
    place = f"--recipe {path} --work {tmp_path}"
    verb, learned = ("train", "") if recipe.segmentation is None else ("segment", " --train")
    assert command == f"python -m kagglecxr.{verb} 'my demo'{learned} {place}"


def test_every_trial_that_counts_has_a_line() -> None:
    study = optuna.create_study(direction="maximize")
    finish(study, 1e-3, 0.5)
    pruned, failed, copy, lost, _ = (study.ask(DISTRIBUTIONS) for _ in range(5))
    pruned.report(0.1, 1)
    pruned.report(0.2, 2)
    study.tell(pruned, state=TrialState.PRUNED)
    failed.set_user_attr(ERROR, "no room")
    copy.set_user_attr(DUPLICATE_OF, 0)
    for trial in (failed, copy, lost):
        study.tell(trial, state=TrialState.FAIL)
    table = trials_table(study.get_trials())
    assert table["trial"].tolist() == [0, 1, 2, 5]
    assert table["state"].tolist() == ["finished", "pruned", "failed", "running"]
    assert table["score"].tolist()[:2] == [0.5, 0.2]
    assert table["epochs"].tolist() == [0, 2, 0, 0]
    assert table["error"].tolist() == ["", "", "no room", ""]
    assert table.loc[0, "learning_rate"] == 1e-3


def test_what_decides_the_score_is_found_important() -> None:
    space = {
        "learning_rate": optuna.distributions.FloatDistribution(0.0, 1.0),
        "warmup": optuna.distributions.FloatDistribution(0.0, 1.0),
    }
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask(space)
        trial.set_user_attr(RECIPE, {})
        study.tell(trial, trial.params["learning_rate"])
    importances = collect_results(study, "accuracy", 1).importances
    assert list(importances) == ["learning_rate", "warmup"]
    assert importances["learning_rate"] > 0.9


def test_few_or_equal_scores_show_no_importance() -> None:
    for scores in ([0.1, 0.2, 0.3], [0.5] * 6):
        study = optuna.create_study()
        for number, score in enumerate(scores):
            finish(study, 1e-3 * (number + 1), score)
        assert collect_results(study, "accuracy", 1).importances == {}


def test_a_study_without_a_finished_trial_says_what_to_do() -> None:
    study = optuna.create_study(study_name="demo-1")
    study.ask(DISTRIBUTIONS)
    with pytest.raises(SettingError, match=r"demo-1.*--trials"):
        collect_results(study, "accuracy", 1)


def test_the_search_is_described_in_a_line() -> None:
    study = optuna.create_study(direction="maximize")
    finish(study, 1e-3, 0.5)
    study.tell(study.ask(DISTRIBUTIONS), state=TrialState.PRUNED)
    assert describe_results(collect_results(study, "accuracy", 2)) == (
        "Tried 2 recipes, 1 of them pruned; the best has accuracy 0.5000 on 2 folds"
    )
