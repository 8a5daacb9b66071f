"""Where working files lie, and what is said where they do not."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError, UnknownNameError
from kagglecxr.core.workspace import Workspace, _PathInWorkspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "umons")


def finish_run(workspace: Workspace, name: str) -> Path:
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    return folder


def test_the_default_place_is_named_for_the_competition() -> None:
    assert Workspace.of("umons", None).root == Path("work/umons")


def test_a_given_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert Workspace.of("umons", tmp_path / "here").root == tmp_path / "here"


def test_files_have_the_names_of_the_contract(workspace: Workspace) -> None:
    root = workspace.root
    assert workspace.raw == root / "raw"
    assert workspace.index == root / "index.csv"
    assert workspace.folds == root / "folds.csv"
    assert workspace.duplicates == root / "duplicates.csv"
    assert workspace.cache == root / "cache"
    assert workspace.runs == root / "runs"
    assert workspace.studies == root / "studies"
    assert workspace.recipes == root / "recipes"
    assert workspace.ensembles == root / "ensemble"


def test_no_two_things_share_a_place(workspace: Workspace) -> None:
    names = [name for name, value in vars(Workspace).items() if isinstance(value, _PathInWorkspace)]
    places = {getattr(workspace, name) for name in names}
    assert len(places) == len(names)
    assert all(workspace.root in place.parents for place in places)


def test_a_finished_run_is_found(workspace: Workspace) -> None:
    folder = finish_run(workspace, "cnn-1")
    assert workspace.run("cnn-1") == folder


def test_an_unknown_run_raises_with_the_nearest_names(workspace: Workspace) -> None:
    finish_run(workspace, "cnn-1")
    finish_run(workspace, "vgg-1")
    with pytest.raises(UnknownNameError, match=r"'cnn-2'.*cnn-1, vgg-1"):
        workspace.run("cnn-2")


def test_an_unfinished_run_is_not_a_run(workspace: Workspace) -> None:
    finish_run(workspace, "cnn-1")
    (workspace.runs / "half").mkdir()
    with pytest.raises(UnknownNameError) as caught:
        workspace.run("half")
    assert "nearest are cnn-1" in str(caught.value)


def test_where_there_is_no_run_at_all_the_verb_is_named(workspace: Workspace) -> None:
    with pytest.raises(MissingError, match=r"kagglecxr\.train umons") as caught:
        workspace.run("cnn-1")
    assert str(workspace.runs) in str(caught.value)


def test_a_required_file_that_is_there_is_given_back(workspace: Workspace) -> None:
    workspace.index.write_text("id\n")
    assert workspace.require(workspace.index, "prepare") == workspace.index


def test_a_required_file_that_is_absent_names_the_verb_to_run(workspace: Workspace) -> None:
    with pytest.raises(FileNotFoundError, match=r"kagglecxr\.prepare umons") as caught:
        workspace.require(workspace.index, "prepare")
    assert isinstance(caught.value, MissingError)
    assert str(workspace.index) in str(caught.value)
