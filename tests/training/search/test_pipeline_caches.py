"""A search can vary the preprocessing; each pipeline has a cache of the same images."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import load_prepared
from kagglecxr.training.recipe import load_recipe, make_recipe
from kagglecxr.training.search.pipeline_caches import PipelineCaches, with_cache
from kagglecxr.training.search.results import write_best_recipe
from kagglecxr.training.search.space import Space, make_space
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec, WarmProcess
from kagglecxr.training.search.tuning import tune_recipe
from kagglecxr.training.training_options import SearchBudget
from tests.conftest import FOLDS, SIZE, PreparedDemo, prepare_demo
from tests.training.search.conftest import FakeTrial, never

SMALL = make_recipe({}, ["epochs=1", "model_options.width=4", "batch_size=16", "optimizer=sgd"])
SPACE = make_space({"pipeline": ["gray | resize", "gray | resize | equalise"], "size": [32, SIZE]})


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("preprocessing"))


@pytest.fixture
def preprocessing(own: PreparedDemo) -> PipelineCaches:
    return PipelineCaches(own.prepared, own.workspace, Silent())


def test_another_pipeline_makes_of_each_image_what_it_says(
    preprocessing: PipelineCaches, own: PreparedDemo
) -> None:
    other = preprocessing.get({"pipeline": "gray | resize | equalise"})
    equalise = Pipeline.parse("gray | equalise", SIZE)
    wanted = [equalise(image) for image in own.prepared.cache.images[:5]]
    np.testing.assert_array_equal(other.cache.images[:5], wanted)
    assert len(other.cache.images) == len(own.prepared.cache.images)
    assert other.index is own.prepared.index
    assert other.fold is own.prepared.fold


def test_the_images_as_they_are_prepared_are_used_as_they_are(
    preprocessing: PipelineCaches, own: PreparedDemo
) -> None:
    for parameters in ({}, {"size": SIZE}, {"pipeline": " gray|resize"}, {"learning_rate": 0.1}):
        assert preprocessing.get(parameters) is own.prepared


def test_a_size_alone_keeps_the_rest_of_the_pipeline(preprocessing: PipelineCaches) -> None:
    smaller = preprocessing.get({"size": 32})
    assert smaller.pipeline_text == "gray | resize(32)"
    assert smaller.cache.images.shape[1:] == (32, 32)
    assert preprocessing.get({"size": 32}) is smaller


def test_a_trials_process_finds_the_cache_by_its_key(
    preprocessing: PipelineCaches, own: PreparedDemo
) -> None:
    other = preprocessing.get({"size": 32})
    loaded = load_prepared(own.competition, own.workspace)
    again = with_cache(loaded, own.workspace, other.cache.key)
    np.testing.assert_array_equal(again.cache.images, other.cache.images)
    assert with_cache(loaded, own.workspace, "") is loaded


def test_the_first_trial_has_the_images_as_they_are(preprocessing: PipelineCaches) -> None:
    assert preprocessing.initial_parameters(SPACE.entries) == {
        "pipeline": "gray | resize",
        "size": SIZE,
    }
    assert (
        preprocessing.initial_parameters(
            make_space({"pipeline": ["gray | clahe | resize"]}).entries
        )
        == {}
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pipeline": ["gray | resize", "gray | resise"]}, "resise"),
        ({"pipeline": ["gray || resize"]}, "cannot be parsed"),
        ({"size": {"low": 32, "high": 64}}, "list of choices"),
        ({"size": ["64"]}, "'64'"),
        ({"size": [0]}, "0"),
    ],
)
def test_an_invalid_pipeline_or_size_is_refused_before_any_trial(
    values: dict[str, object], words: str, own: PreparedDemo, tmp_path: Path
) -> None:
    with pytest.raises((SettingError, UnknownNameError), match=words):
        tune_recipe(
            "demo", own.prepared, Workspace(tmp_path, "demo"), SMALL, make_space(values),
            SearchBudget(), never, Silent(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_search_over_pipelines_tries_each_and_tells_how_to_prepare(
    own: PreparedDemo, tmp_path: Path
) -> None:
    specs: list[TrialSpec] = []

    def launch(spec: TrialSpec) -> FakeTrial:
        specs.append(spec)
        return FakeTrial(TrialResult("finished", len(specs) / 10))

    def search(space: Space) -> tuple[Path, str]:
        result = tune_recipe(
            "demo", own.prepared, own.workspace, SMALL, space, SearchBudget(trials=20), launch,
            Silent(),
        )  # fmt: skip
        assert result.trials["state"].tolist() == ["finished"] * 4
        return write_best_recipe(result, own.workspace)

    path, command = search(SPACE)
    assert specs[0].cache_key == ""
    assert len({spec.cache_key for spec in specs}) == 4
    assert len({spec.folder for spec in specs}) == 4
    assert load_recipe(str(path)) == SMALL
    assert f"# {command}\n" in path.read_text(encoding="utf-8")
    # With the options that it was given before, so that the folds are the same.
    assert f"--size={SIZE} '--pipeline=gray | resize(" in command
    assert f"--folds={FOLDS} " in command
    assert " && python -m kagglecxr.train demo --recipe " in command


@pytest.mark.slow
def test_a_trial_trains_on_the_images_of_its_pipeline(own: PreparedDemo) -> None:
    result = tune_recipe(
        "demo", own.prepared, own.workspace, SMALL, make_space({"size": [32]}),
        SearchBudget(trials=1), lambda spec: WarmProcess().train(spec), Silent(),
    )  # fmt: skip
    assert result.pipeline == "gray | resize(32)"
    assert result.trials["state"].tolist() == ["finished"]
