"""The best model is the first, and what was named comes before."""

import json
import os
import shutil
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.workspace import Workspace
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.model_choices import (
    check_models,
    demo_choices,
    named_choice,
    workspace_choices,
)
from kagglecxr.webapp.model_server import ModelServer
from tests.webapp.conftest import RIGHT, WRONG, WebDemo

METRIC = METRICS["balanced_accuracy"]


def write_run(workspace: Workspace, name: str, source: Path, **metrics: float) -> None:
    record = json.loads((source / "run.json").read_text())
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record | {"name": name, "metrics": metrics}))


@pytest.fixture
def workspace(web_demo: WebDemo, tmp_path: Path) -> Workspace:
    own = Workspace(tmp_path, "demo")
    source = web_demo.own.workspace.runs / RIGHT
    for name, score in {"fair": 0.6, "best": 0.9, "worst": 0.1}.items():
        write_run(own, name, source, oof_balanced_accuracy=score, oof_log_loss=score)
    write_run(own, "no-score", source)
    return own


def labels(workspace: Workspace, metric: str = "balanced_accuracy") -> list[str]:
    return [each.label for each in workspace_choices(workspace, METRICS[metric])]


def test_the_best_is_first_and_what_has_no_score_last(workspace: Workspace) -> None:
    assert labels(workspace) == ["best", "fair", "worst", "no-score"]


def test_of_a_loss_the_least_is_first(workspace: Workspace) -> None:
    assert labels(workspace, "log_loss") == ["worst", "fair", "best", "no-score"]


def test_a_damaged_run_is_last_and_does_not_hide_the_others(workspace: Workspace) -> None:
    (workspace.runs / "best" / "run.json").write_text("{")
    assert labels(workspace)[:2] == ["fair", "worst"]
    assert "best" in labels(workspace)


def test_a_score_that_is_no_number_is_last(web_demo: WebDemo, workspace: Workspace) -> None:
    path = workspace.runs / "best" / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"metrics": {"oof_balanced_accuracy": "high"}}))
    assert labels(workspace)[:2] == ["fair", "worst"]


def test_ensembles_are_called_so_unless_they_are_a_run(workspace: Workspace) -> None:
    for name in ("mean-1234", "fair"):
        folder = workspace.ensembles / name
        folder.mkdir(parents=True)
        (folder / "blend.json").write_text("{}")
    assert "mean-1234 (ensemble)" in labels(workspace)
    assert labels(workspace).count("fair") == 1


def test_named_models_have_the_workspace_they_lie_in(web_demo: WebDemo) -> None:
    run = web_demo.own.workspace.runs / WRONG
    elsewhere = Workspace(Path("elsewhere"), "demo", "demo")
    of_run, of_file = (named_choice(path, elsewhere) for path in (run, web_demo.export))
    assert of_run.workspace is not None
    assert of_run.workspace.root == web_demo.own.workspace.root.resolve()
    assert of_file.is_file
    assert not of_run.is_file
    assert (of_run.label, of_file.label) == (WRONG, "exported.keras")


def test_what_is_no_model_is_told(tmp_path: Path, web_demo: WebDemo) -> None:
    for path in (tmp_path, tmp_path / "gone.keras"):
        with pytest.raises(MissingError, match="--models"):
            check_models([path], web_demo.own.workspace)


def test_a_cut_file_is_told_before_the_page_is_open(tmp_path: Path, web_demo: WebDemo) -> None:
    cut = tmp_path / "cut.keras"
    cut.write_bytes(web_demo.export.read_bytes()[:5000])
    check_models([web_demo.export], web_demo.own.workspace)
    with pytest.raises(DataError, match="cut off"):
        check_models([cut], web_demo.own.workspace)


def test_a_run_of_masks_is_refused(web_demo: WebDemo, tmp_path: Path) -> None:
    source = web_demo.own.workspace.runs / RIGHT
    record = json.loads((source / "run.json").read_text())
    record["recipe"]["segmentation"] = {}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(SettingError, match="lung masks"):
        check_models([tmp_path], web_demo.own.workspace)


def test_an_empty_workspace_offers_the_demo(web_demo: WebDemo, in_folder: Path) -> None:
    site = Site("demo", Workspace(in_folder / "empty", "demo"))
    assert ModelServer(site).choices() == []
    shutil.copytree(web_demo.own.workspace.runs, in_folder / "work" / "demo" / "runs")
    choices = ModelServer(site).choices()
    assert [each.label for each in choices] == [f"demo: {RIGHT}", f"demo: {WRONG}"]
    assert choices == demo_choices(METRIC)


def test_a_named_model_that_is_gone_leaves_the_others(web_demo: WebDemo, tmp_path: Path) -> None:
    named = tmp_path / "named.keras"
    shutil.copyfile(web_demo.export, named)
    server = ModelServer(Site("demo", web_demo.own.workspace, (named,)))
    assert [each.label for each in server.choices()] == ["named.keras", RIGHT, WRONG]
    named.unlink()
    assert [each.label for each in server.choices()] == [RIGHT, WRONG]


def test_a_run_that_is_named_too_is_offered_once(web_demo: WebDemo) -> None:
    own = web_demo.own.workspace
    server = ModelServer(Site("demo", own, (own.runs / WRONG,)))
    assert [each.label for each in server.choices()] == [WRONG, RIGHT]


def test_a_model_made_anew_is_another_choice(web_demo: WebDemo, tmp_path: Path) -> None:
    own = Workspace(tmp_path, "demo")
    write_run(own, "run", web_demo.own.workspace.runs / RIGHT)
    before = workspace_choices(own, METRIC)
    assert workspace_choices(own, METRIC) == before
    os.utime(own.runs / "run" / "run.json", (1, 1))
    assert workspace_choices(own, METRIC) != before
