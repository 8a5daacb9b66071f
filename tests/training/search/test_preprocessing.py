"""A search may vary how images are prepared: each pipeline has a cache of the same images."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.pixels.preprocessing import Pipeline
from kagglecxr.data.preparation import load_prepared
from kagglecxr.training.recipe import load_recipe, make_recipe
from kagglecxr.training.search.budget import Budget
from kagglecxr.training.search.findings import write_recipe
from kagglecxr.training.search.job import Job, Outcome
from kagglecxr.training.search.preprocessing import Preprocessing, pipeline_text, with_cache
from kagglecxr.training.search.processes import TrialProcess
from kagglecxr.training.search.space import Space, make_space
from kagglecxr.training.search.tuning import tune_recipe
from tests.conftest import SIZE, Played, prepare_demo
from tests.training.search.conftest import Pretended

SMALL = make_recipe({}, ["epochs=1", "model_options.width=4", "batch_size=16"])
SPACE = make_space({"pipeline": ["gray | resize", "gray | resize | equalise"], "size": [32, SIZE]})


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("preprocessing"))


@pytest.fixture
def preprocessing(own: Played) -> Preprocessing:
    return Preprocessing(own.prepared, own.workspace, Silent())


def test_another_pipeline_makes_of_each_image_what_it_says(
    preprocessing: Preprocessing, own: Played
) -> None:
    other = preprocessing.of({"pipeline": "gray | resize | equalise"})
    equalise = Pipeline.parse("gray | equalise", SIZE)
    wanted = [equalise(image) for image in own.prepared.cache.images[:5]]
    np.testing.assert_array_equal(other.cache.images[:5], wanted)
    assert len(other.cache.images) == len(own.prepared.cache.images)
    assert other.index is own.prepared.index
    assert other.fold is own.prepared.fold


def test_the_images_as_they_are_prepared_are_used_as_they_are(
    preprocessing: Preprocessing, own: Played
) -> None:
    for parameters in ({}, {"size": SIZE}, {"pipeline": " gray|resize"}, {"learning_rate": 0.1}):
        assert preprocessing.of(parameters) is own.prepared


def test_a_size_alone_keeps_the_rest_of_the_pipeline(preprocessing: Preprocessing) -> None:
    smaller = preprocessing.of({"size": 32})
    assert pipeline_text(smaller) == "gray | resize(32)"
    assert smaller.cache.images.shape[1:] == (32, 32)
    assert preprocessing.of({"size": 32}) is smaller


def test_a_trials_process_finds_the_cache_by_its_key(
    preprocessing: Preprocessing, own: Played
) -> None:
    other = preprocessing.of({"size": 32})
    loaded = load_prepared(own.competition, own.workspace)
    again = with_cache(loaded, own.workspace, other.cache.key)
    np.testing.assert_array_equal(again.cache.images, other.cache.images)
    assert with_cache(loaded, own.workspace, "") is loaded


def test_the_first_trial_has_the_images_as_they_are(preprocessing: Preprocessing) -> None:
    assert preprocessing.start(SPACE.entries) == {"pipeline": "gray | resize", "size": SIZE}
    assert preprocessing.start(make_space({"pipeline": ["gray | clahe | resize"]}).entries) == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pipeline": ["gray | resize", "gray | resise"]}, "resise"),
        ({"pipeline": ["gray || resize"]}, "cannot be read"),
        ({"size": {"low": 32, "high": 64}}, "list of choices"),
        ({"size": ["64"]}, "'64'"),
        ({"size": [0]}, "0"),
    ],
)
def test_what_no_image_can_be_prepared_with_is_told_before_any_trial(
    values: dict[str, object], words: str, own: Played, tmp_path: Path
) -> None:
    with pytest.raises((SettingError, UnknownNameError), match=words):
        tune_recipe(
            "demo", own.prepared, Workspace(tmp_path, "demo"), SMALL, make_space(values), Budget(),
            Silent(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_search_over_pipelines_tries_each_and_tells_how_to_prepare(
    own: Played, tmp_path: Path
) -> None:
    jobs: list[Job] = []

    def start(job: Job) -> Pretended:
        jobs.append(job)
        return Pretended(Outcome("finished", len(jobs) / 10))

    def search(space: Space) -> Path:
        found = tune_recipe(
            "demo", own.prepared, own.workspace, SMALL, space, Budget(trials=20), Silent(),
            start=start,
        )  # fmt: skip
        assert found.trials["state"].tolist() == ["finished"] * 4
        return write_recipe(found, tmp_path, "demo")

    path = search(SPACE)
    assert jobs[0].cache == ""
    assert len({job.cache for job in jobs}) == 4
    assert len({job.folder for job in jobs}) == 4
    assert load_recipe(str(path)) == SMALL
    text = path.read_text(encoding="utf-8")
    assert "kagglecxr.prepare demo --pipeline 'gray | resize(" in text


@pytest.mark.slow
def test_a_trial_trains_on_the_images_of_its_pipeline(own: Played) -> None:
    space = make_space({"size": [32]})
    started: list[TrialProcess] = []

    def start(job: Job) -> TrialProcess:
        started.append(TrialProcess(job))
        return started[-1]

    found = tune_recipe(
        "demo", own.prepared, own.workspace, SMALL, space, Budget(trials=1), Silent(), start=start
    )
    assert found.pipeline == "gray | resize(32)"
    assert found.trials["state"].tolist() == ["finished"]
