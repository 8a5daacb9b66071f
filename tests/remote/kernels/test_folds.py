"""One fold a kernel: pushed once each, pushed again where one failed."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.remote.kernels.folds import (
    PUSH_STATE,
    FoldPush,
    push_folds,
    pushed_folds,
    write_fold_kernels,
)
from kagglecxr.remote.kernels.kernel_metadata import MAX_SLUG, KernelMetadata
from tests.remote.fake_kaggle import FakeKaggle, error_response
from tests.remote.kernels.fake_kernels import SAVE, FakeKernels
from tests.remote.recording import FakeClock


@pytest.fixture
def folders(kernel_folder: Path) -> list[Path]:
    return write_fold_kernels(kernel_folder, 3)


def push(folders: list[Path], wait: float = 0.0) -> list[FoldPush]:
    return push_folds(folders, Silent(), wait)


def test_each_fold_has_a_kernel_of_its_own_that_trains_it_alone(folders: list[Path]) -> None:
    assert [path.name for path in folders] == ["train-fold-0", "train-fold-1", "train-fold-2"]
    for fold, folder in enumerate(folders):
        metadata = KernelMetadata.read(folder)
        assert metadata.id == f"mary/umons-train-fold-{fold}"
        assert metadata.machine_shape == "NvidiaTeslaT4"
        assert f"FOLD = {fold}  # all of them\n" in (folder / "train.py").read_text()


def test_a_long_name_is_shortened(kernel_folder: Path) -> None:
    slug = "a" * 25 + "-" + "b" * (MAX_SLUG - 26)
    path = kernel_folder / "kernel-metadata.json"
    write_json(path, read_json(path) | {"id": f"mary/{slug}", "title": slug})
    ids = {KernelMetadata.read(folder).id for folder in write_fold_kernels(kernel_folder, 3)}
    assert len(ids) == 3


@pytest.mark.parametrize("folds", [1, 5])
def test_another_number_of_folds_than_the_script_s_is_refused(
    folds: int, kernel_folder: Path
) -> None:
    with pytest.raises(SettingError, match=f"--folds {folds}, FOLDS = 3"):
        write_fold_kernels(kernel_folder, folds)


def test_all_folds_are_pushed_and_none_twice(
    folders: list[Path], kernel_folder: Path, fake_kernels: FakeKernels
) -> None:
    assert pushed_folds(kernel_folder) == []
    statuses = [push.status for push in push(folders)]
    assert statuses[1] == (
        "pushed as version 1: https://www.kaggle.com/code/mary/umons-train-fold-1"
    )
    assert len(fake_kernels.pushed) == 3
    fake_kernels.status["umons-train-fold-1"] = "RUNNING"
    again = push(folders)
    assert [one.status for one in again] == [
        "complete, pushed before",
        "running, pushed before",
        "complete, pushed before",
    ]
    assert len(fake_kernels.pushed) == 3
    assert pushed_folds(kernel_folder) == folders


def test_the_fold_that_failed_is_pushed_again_alone(
    folders: list[Path], fake_kernels: FakeKernels
) -> None:
    push(folders)
    fake_kernels.status["umons-train-fold-2"], fake_kernels.failure = "ERROR", "out of memory"
    statuses = [one.status for one in push(folders)]
    assert statuses[2].startswith("pushed as version 2")
    assert [fake_kernels.versions(f"umons-train-fold-{fold}") for fold in range(3)] == [1, 1, 2]


def test_a_script_that_has_changed_is_pushed_again(
    folders: list[Path], fake_kernels: FakeKernels
) -> None:
    push(folders)
    script = folders[0] / "train.py"
    script.write_text(script.read_text() + "print(1)\n")
    push(folders)
    assert fake_kernels.versions("umons-train-fold-0") == 2


def test_one_refused_fold_does_not_keep_the_others(
    folders: list[Path], fake_kernels: FakeKernels, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(SAVE, fake_kernels._save, error_response(500, "sorry"), fake_kernels._save)
    done = push(folders)
    assert [one.is_refused for one in done] == [False, True, False]
    assert "fault of its own" in done[1].status
    assert [one.is_refused for one in push(folders)] == [False, False, False]
    assert [fake_kernels.versions(f"umons-train-fold-{fold}") for fold in range(3)] == [1, 1, 1]


def test_a_push_whose_end_nobody_saw_is_looked_for(
    folders: list[Path], fake_kernels: FakeKernels
) -> None:
    push(folders[:1])
    receipt = folders[0] / PUSH_STATE
    write_json(receipt, read_json(receipt) | {"version": 0})
    fake_kernels.status["umons-train-fold-0"] = "RUNNING"
    assert push(folders)[0].status == "running, pushed before"
    assert fake_kernels.versions("umons-train-fold-0") == 1


def test_folds_wait_for_a_free_machine_as_long_as_requested(
    folders: list[Path],
    fake_kernels: FakeKernels,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_kernels.at_a_time = 2
    fake_kernels.status = {"a": "RUNNING", "b": "RUNNING"}

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            fake_kernels.status.clear()

    monkeypatch.setattr("kagglecxr.remote.client.sleep", sleep)
    assert [one.is_refused for one in push(folders)] == [True, True, True]
    assert clock.slept == []
    done = push(folders, wait=600.0)
    assert [one.is_refused for one in done] == [False, False, False]
    assert clock.slept == [60.0] * 3
