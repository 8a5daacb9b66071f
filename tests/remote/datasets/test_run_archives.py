"""A run travels as one archive, and folds from several machines come together as one run."""

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.remote.datasets.run_archives import pack_run, unpack_run
from tests.remote.datasets.conftest import make_run

NAME = "vgg16-1a2b3c4d"
OF_FOLD = {"model.weights.h5", "history.csv", "validation.npz", "novelty.npz", "fold.json"}


def files_under(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(folds: list[int], *, finished: bool = False) -> set[str]:
    names = {f"fold-{fold}/{name}" for fold in folds for name in OF_FOLD}
    outcome = {"run.json", "oof.npz", "novelty.json"} if finished else set()
    return names | {"recipe.json", "folds.csv"} | outcome


def packed(tmp_path: Path, folds: list[int], machine: str, *, finished: bool = False) -> Path:
    run = make_run(tmp_path / machine / NAME, folds, finished=finished)
    return pack_run(run, tmp_path / machine / "packed")


def rewritten(archive: Path, changes: dict[str, bytes | None]) -> None:
    with zipfile.ZipFile(archive) as source:
        files = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in (files | changes).items():
            if content is not None:
                target.writestr(name, content)


def test_what_matters_is_packed_and_nothing_else(tmp_path: Path) -> None:
    archive = packed(tmp_path, [], "here", finished=True)
    assert archive.name == f"{NAME}.zip"
    with zipfile.ZipFile(archive) as members:
        names = {name.removeprefix(f"{NAME}/") for name in members.namelist()}
        assert {member.compress_type for member in members.infolist()} == {zipfile.ZIP_STORED}
    assert names == expected([0, 1, 2], finished=True)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_of_an_unfinished_run_the_finished_folds_are_packed(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(tmp_path, [1], "here")) as members:
        names = {name.removeprefix(f"{NAME}/") for name in members.namelist()}
    assert names == expected([1])


def test_a_run_without_a_finished_fold_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no finished fold to pack\. Looked in: "):
        packed(tmp_path, [], "here")


def test_the_same_run_gives_the_same_bytes_and_leaves_the_file_alone(tmp_path: Path) -> None:
    one = packed(tmp_path, [0, 2], "one")
    run = make_run(tmp_path / "other" / NAME, [0, 2])
    for path in run.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1e9, 1e9))
    other = pack_run(run, tmp_path / "other" / "packed")
    assert one.read_bytes() == other.read_bytes()
    os.utime(other, (1e9, 1e9))
    pack_run(run, other.parent)
    assert other.stat().st_mtime == 1e9
    (run / "fold-0" / "model.weights.h5").write_bytes(b"others")
    pack_run(run, other.parent)
    assert one.read_bytes() != other.read_bytes()


def test_a_packed_run_is_unpacked_as_it_was(tmp_path: Path) -> None:
    archive = packed(tmp_path, [], "there", finished=True)
    run = unpack_run(archive, tmp_path / "runs")
    assert run == tmp_path / "runs" / NAME
    there = files_under(tmp_path / "there" / NAME)
    assert files_under(run) == {name: there[name] for name in expected([0, 1, 2], finished=True)}
    assert [path.name for path in run.parent.iterdir()] == [NAME]
    assert unpack_run(archive, tmp_path / "runs") == run


@settings(max_examples=15, deadline=None)
@given(machines=st.lists(st.sets(st.integers(0, 2), min_size=1), min_size=1, max_size=4))
def test_folds_come_together_whatever_machine_they_come_from(
    machines: list[set[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("cluster")
    for number, folds in enumerate(machines):
        run = unpack_run(packed(tmp_path, [*folds], str(number)), tmp_path / "runs")
    brought = sorted(set().union(*machines))
    whole = files_under(make_run(tmp_path / "whole" / NAME, [], finished=True))
    assert files_under(run) == {name: whole[name] for name in expected(brought)}


def test_a_fold_that_is_finished_here_stays_and_an_interrupted_one_is_replaced(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "runs" / NAME, [0])
    (run / "fold-0" / "model.weights.h5").write_bytes(b"trained here")
    assert unpack_run(packed(tmp_path, [0, 1], "there"), tmp_path / "runs") == run
    assert (run / "fold-0" / "model.weights.h5").read_bytes() == b"trained here"
    assert (run / "fold-0" / "checkpoint.weights.h5").is_file()
    assert {path.name for path in (run / "fold-1").iterdir()} == OF_FOLD


def test_what_was_gathered_elsewhere_is_taken_only_with_its_very_folds(tmp_path: Path) -> None:
    archive = packed(tmp_path, [], "there", finished=True)
    run = make_run(tmp_path / "runs" / NAME, [0])
    assert unpack_run(archive, tmp_path / "runs") == run
    assert expected([0, 1, 2], finished=True) <= {*files_under(run)}
    other = make_run(tmp_path / "others" / NAME, [0])
    (other / "fold-0" / "validation.npz").write_bytes(b"others")
    assert unpack_run(archive, tmp_path / "others") == other
    assert not {"run.json", "oof.npz", "novelty.json"} & {*files_under(other)}
    assert expected([0, 1, 2]) <= {*files_under(other)}


@pytest.mark.parametrize("name", ["recipe.json", "folds.csv"])
def test_folds_of_another_training_are_refused(name: str, tmp_path: Path) -> None:
    archive = packed(tmp_path, [1], "there")
    for content in (b"another", None):
        run = make_run(tmp_path / str(content) / NAME, [0])
        before = files_under(run)
        rewritten(archive, {f"{NAME}/{name}": content})
        with pytest.raises(DataError, match=f"with another {name} than that of"):
            unpack_run(archive, run.parent)
        assert files_under(run) == before
        assert [path.name for path in run.parent.iterdir()] == [NAME]


@pytest.mark.parametrize(
    "strange",
    ["../evil.txt", "notes.txt", f"{NAME}/notes.txt", f"{NAME}/fold-0/kaggle.json",
     f"{NAME}/fold-x/fold.json", f"{NAME}/deep/fold-0/fold.json", "another-run/recipe.json"],
)  # fmt: skip
def test_what_is_not_one_run_is_refused_and_leaves_nothing(strange: str, tmp_path: Path) -> None:
    archive = packed(tmp_path, [0], "there")
    rewritten(archive, {strange: b"!"})
    with pytest.raises(DataError):
        unpack_run(archive, tmp_path / "runs")
    assert [*(tmp_path / "runs").iterdir()] == []
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("keep", [0, 40, 200, -10])
def test_a_broken_archive_is_refused_and_leaves_nothing(keep: int, tmp_path: Path) -> None:
    archive = packed(tmp_path, [0], "there")
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(DataError):
        unpack_run(archive, tmp_path / "runs")
    assert [*(tmp_path / "runs").iterdir()] == []


def test_an_archive_without_weights_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path, [0, 1], "there")
    rewritten(archive, {f"{NAME}/fold-0/model.weights.h5": None})
    with pytest.raises(DataError, match="holds a fold without weights, or none"):
        unpack_run(archive, tmp_path / "runs")
