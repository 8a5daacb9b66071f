"""A download is put in place whole or not at all, and its manifest says what it holds."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.download_dir import (
    DownloadDir,
    Manifest,
    read_manifest,
    write_manifest,
)
from tests.remote.download.conftest import COMPETITION, DATASET
from tests.remote.download.hosted_data import files_under

NEW = Manifest("dataset", "mary/lungs", True, {"new": FileStat(3)})


@pytest.fixture
def target(target: DownloadDir) -> DownloadDir:
    """With a new file that was unpacked beside an old one."""
    for folder, name in ((target.folder, "old"), (target.unpacked, "new")):
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    target.archive.write_text("archive")
    return target


class Killed(BaseException):
    """As much as SIGKILL leaves to be seen."""


def test_all_of_it_is_replaced_and_nothing_is_left_beside(target: DownloadDir) -> None:
    target.commit(NEW)
    assert files_under(target.folder) == {"new": b"new"}
    assert read_manifest(target.manifest) == NEW
    assert {path.name for path in target.folder.parent.iterdir()} == {"raw", "download.json"}


def test_data_beside_raw_have_a_manifest_of_their_own(tmp_path: Path) -> None:
    assert DownloadDir(tmp_path / "raw").manifest.name == "download.json"
    assert DownloadDir(tmp_path / "kermany").manifest.name == "download-kermany.json"


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_before_any_step_it_is_ended_by_the_next_run(
    step: int, target: DownloadDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def or_killed(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Killed
            return function(*arguments, **options)

        return or_killed

    with monkeypatch.context() as killing:
        killing.setattr(Path, "rename", counted(Path.rename))
        killing.setattr(Path, "replace", counted(Path.replace))
        killing.setattr(shutil, "rmtree", counted(shutil.rmtree))
        with pytest.raises(Killed):
            target.commit(NEW)
    whole = target.folder.is_dir() and files_under(target.folder)
    assert whole in (False, {"old": b"old"}, {"new": b"new"})
    if step == 1:
        target.commit(NEW)
    target.finish_commit()
    assert files_under(target.folder) == {"new": b"new"}
    assert read_manifest(target.manifest) == NEW


def test_without_a_fill_nothing_is_ended(target: DownloadDir) -> None:
    target.finish_commit()
    assert files_under(target.folder) == {"old": b"old"}
    assert target.archive.is_file()


FACTS = st.builds(FileStat, st.integers(0), st.none() | st.integers(0, 2**32 - 1))
MANIFESTS = st.builds(
    Manifest,
    st.just("dataset"),
    st.just(DATASET.slug),
    st.booleans(),
    st.dictionaries(st.text(), FACTS),
)


@given(manifest=MANIFESTS)
def test_it_is_read_as_it_was_written(
    manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "download.json"
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    assert manifest.is_of(DATASET)
    assert not manifest.is_of(COMPETITION)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": {"x": 3}}'])
def test_what_is_no_manifest_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "download.json"
    assert read_manifest(path) is None
    path.write_text(text)
    assert read_manifest(path) is None


def test_files_that_are_gone_or_of_another_size_are_not_there(tmp_path: Path) -> None:
    manifest = Manifest("dataset", "mary/lungs", True, dict.fromkeys("abc", FileStat(1)))
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"22")
    assert manifest.missing_from(tmp_path) == ["b", "c"]
    assert manifest.size == 3
