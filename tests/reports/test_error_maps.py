"""Errors are explained for the class they were taken for, by the fold that held them out."""

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.run_record import OOF, read_run
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.error_grid import cached_images
from kagglecxr.reports.error_maps import draw_maps, errors_to_explain, explain_errors
from kagglecxr.reports.run_report import list_errors
from tests.conftest import SIZE, PreparedDemo, copy_demo
from tests.training.run_factories import make_run


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    found = copy_demo(demo, tmp_path_factory.mktemp("errors"))
    (found.workspace.root / "cache").symlink_to(demo.workspace.cache)
    make_run(found, "run", 1, wrong=True)
    return found


def errors_of(own: PreparedDemo) -> tuple[pd.DataFrame, list[np.ndarray]]:
    run = own.workspace.runs / "run"
    errors = list_errors(Predictions.load(run / OOF), read_run(run).targets).head(3)
    return errors, cached_images(read_run(run), own.workspace, list(errors["id"]))


def test_each_is_explained_for_its_predicted_class(own: PreparedDemo) -> None:
    errors, images = errors_of(own)
    record = read_run(own.workspace.runs / "run")
    explained = errors_to_explain(errors, images, record)
    assert explained.images.shape == (3, SIZE, SIZE, 1)
    names = [record.targets[number] for number in explained.targets]
    assert names == list(errors["predicted"])
    assert list(explained.ids) == list(errors["id"])


def test_the_mean_over_runs_is_that_of_equal_runs(own: PreparedDemo) -> None:
    errors, images = errors_of(own)
    run = own.workspace.runs / "run"
    record = read_run(run)
    once = explain_errors([run], [record], errors, images, 0)
    twice = explain_errors([run, run], [record, record], errors, images, 0)
    assert len(once) == 3
    assert all(np.array_equal(one, other) for one, other in zip(once, twice, strict=True))


def test_of_an_older_recipe_there_are_no_maps(own: PreparedDemo) -> None:
    errors, images = errors_of(own)
    run = own.workspace.runs / "run"
    record = read_run(run)
    del record.recipe["model_options"]
    assert explain_errors([run], [record], errors, images, 0) == []


def test_a_map_of_nothing_leaves_the_image_as_it_is() -> None:
    image = np.full((4, 4), 80, np.uint8)
    (drawn,) = draw_maps([image], np.zeros((1, 4, 4), np.float32), "gradcam")
    assert (drawn == 80).all()
