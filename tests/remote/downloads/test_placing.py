"""A folder is filled at once, and a fill that was cut off at any step is ended by the next run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.remote.archives import FileFacts
from kagglecxr.remote.downloads.manifest import Manifest, read_manifest
from kagglecxr.remote.downloads.placing import Place
from tests.remote.downloads.served import files_under

NEW = Manifest("dataset", "mary/lungs", True, {"new": FileFacts(3)})


@pytest.fixture
def place(place: Place) -> Place:
    """With a new file that was unpacked beside an old one."""
    for folder, name in ((place.folder, "old"), (place.unpacked, "new")):
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    place.archive.write_text("archive")
    return place


class Killed(BaseException):
    """As much as SIGKILL leaves to be seen."""


def test_all_of_it_is_replaced_and_nothing_is_left_beside(place: Place) -> None:
    place.fill(NEW)
    assert files_under(place.folder) == {"new": b"new"}
    assert read_manifest(place.manifest) == NEW
    assert {path.name for path in place.folder.parent.iterdir()} == {"raw", "download.json"}


def test_data_beside_raw_have_a_manifest_of_their_own(tmp_path: Path) -> None:
    assert Place(tmp_path / "raw").manifest.name == "download.json"
    assert Place(tmp_path / "kermany").manifest.name == "download-kermany.json"


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_before_any_step_it_is_ended_by_the_next_run(
    step: int, place: Place, monkeypatch: pytest.MonkeyPatch
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
            place.fill(NEW)
    whole = place.folder.is_dir() and files_under(place.folder)
    assert whole in (False, {"old": b"old"}, {"new": b"new"})
    if step == 1:
        place.fill(NEW)
    place.go_on()
    assert files_under(place.folder) == {"new": b"new"}
    assert read_manifest(place.manifest) == NEW


def test_without_a_fill_nothing_is_ended(place: Place) -> None:
    place.go_on()
    assert files_under(place.folder) == {"old": b"old"}
    assert place.archive.is_file()
