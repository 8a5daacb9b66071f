"""The steps of `kernel` as a user types them, up to what Kaggle gets and what is printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from kagglecxr.core.cli import run_app
from kagglecxr.core.files import read_json
from kagglecxr.kernel import kernel_app
from tests.remote.conftest import KEY
from tests.remote.datasets.fake_datasets import FakeDatasets
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.kernels.fake_kernels import FakeKernels


def run(*words: object) -> int:
    return run_app(kernel_app("kernel"), [str(word) for word in words])


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(*words) == 2
    output = capsys.readouterr().err
    assert "Traceback" not in output
    assert KEY not in output
    return output.splitlines()[-1]


def test_build_brings_the_wheels_and_writes_kernels_that_push_takes(
    fake_datasets: FakeDatasets,
    fake_kernels: FakeKernels,
    in_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_kernels.serve(fake_datasets.fake_kaggle)
    assert run("build", "demo") == 0
    output = capsys.readouterr()
    written = "Wrote the kernels kernels/train, kernels/tune, kernels/submit."
    assert output.out.splitlines()[-1].startswith(written)
    assert "On Kaggle: mary/kagglecxr-wheels" in output.err
    (version,) = fake_datasets.versions
    assert {name.partition("-")[0] for name in version} >= {"kagglecxr", "cyclopts", "tf_explain"}
    for name in ("train", "tune"):
        assert run("push", f"kernels/{name}") == 0
    assert [one["slug"] for one in fake_kernels.pushed] == ["mary/demo-train", "mary/demo-tune"]
    assert fake_kernels.pushed[0]["datasetDataSources"] == ["mary/kagglecxr-wheels"]
    assert KEY not in str(fake_kernels.pushed)


def test_kaggle_s_own_command_pushes_what_build_wrote(
    fake_kaggle: FakeKaggle, fake_kernels: FakeKernels, in_folder: Path
) -> None:
    assert run("build", "demo", "--dry-run", "--owner", "mary") == 0
    command = [sys.executable, "-c", "from kaggle.cli import main; main()"]
    for name in ("train", "tune"):
        words = ["kernels", "push", "-p", f"kernels/{name}"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
        assert "successfully pushed" in done.stdout
        # Said where title and id do not agree.
        assert "does not resolve" not in done.stdout
    assert [one["slug"] for one in fake_kernels.pushed] == ["mary/demo-train", "mary/demo-tune"]
    assert [one.get("enableInternet") for one in fake_kernels.pushed] == [True, True]


def test_a_dry_run_asks_nothing_of_kaggle(fake_datasets: FakeDatasets, in_folder: Path) -> None:
    before = len(fake_datasets.fake_kaggle.requests)
    assert run("build", "demo", "--dry-run", "--owner", "mary", "--to", "elsewhere") == 0
    assert len(fake_datasets.fake_kaggle.requests) == before
    assert read_json(Path("elsewhere/train/kernel-metadata.json"))["id"] == "mary/demo-train"


def test_a_folder_s_images_have_to_be_on_kaggle(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("xrays/normal").mkdir(parents=True)
    words = ["build", "xrays", "--dry-run", "--owner", "mary"]
    assert "--data OWNER/SLUG" in refusal(capsys, *words)
    assert run(*words, "--data", "mary/my-xrays") == 0
    metadata = read_json(Path("kernels/train/kernel-metadata.json"))
    assert metadata["dataset_sources"] == ["mary/my-xrays", "mary/kagglecxr-wheels"]
    script = Path("kernels/train/train.py").read_text()
    assert 'kind = "dataset"\nslug = "mary/my-xrays"' in script


def test_a_competition_of_the_user_s_own_travels_in_the_scripts(in_folder: Path) -> None:
    text = 'name = "mine"\n[source]\nkind = "competition"\nslug = "my-competition"\n'
    Path("mine.toml").write_text(text)
    assert run("build", "mine.toml", "--dry-run", "--owner", "mary") == 0
    assert text in Path("kernels/submit/submit.py").read_text()
    metadata = read_json(Path("kernels/submit/kernel-metadata.json"))
    assert metadata["enable_internet"] is False
    assert metadata["competition_sources"] == ["my-competition"]


def test_what_was_prepared_here_is_prepared_there(in_folder: Path) -> None:
    workspace = Path("work/demo")
    workspace.mkdir(parents=True)
    requested = '{"size": 96, "pipeline": "gray | clahe | resize", "test": 0.1, "folds": 3}'
    (workspace / "prepare.json").write_text(f'{{"seed": 7, "options": {requested}}}')
    assert run("build", "demo", "--dry-run", "--owner", "mary") == 0
    script = Path("kernels/train/train.py").read_text().splitlines()
    for line in ("SIZE = 96", 'PIPELINE = "gray | clahe | resize"', "FOLDS = 3", "SEED = 7"):
        assert line in script


def test_data_prepared_by_an_older_version_are_reported(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("work/demo").mkdir(parents=True)
    Path("work/demo/prepare.json").write_text('{"seed": 7}')
    assert "kagglecxr.prepare demo" in refusal(
        capsys, "build", "demo", "--dry-run", "--owner", "mary"
    )


def test_folds_are_pushed_watched_and_a_failed_one_pushed_again(
    kernel_folder: Path, fake_kernels: FakeKernels, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_kernels.status["umons-train-fold-1"] = "RUNNING"
    assert run("push", kernel_folder, "--folds", 3) == 0
    assert "All 3 folds run or are complete." in capsys.readouterr().out
    assert run("status", kernel_folder) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[:6:2] == [
        "mary/umons-train-fold-0  complete",
        "mary/umons-train-fold-1  running",
        "mary/umons-train-fold-2  complete",
    ]
    assert output[1:6:2] == ["    it ran"] * 3
    assert output[6].startswith("2 complete, 1 running, 0 failed.")
    fake_kernels.status["umons-train-fold-1"], fake_kernels.failure = "ERROR", "out of memory"
    assert run("status", kernel_folder) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[2] == "mary/umons-train-fold-1  error: out of memory"
    assert f"Next: python -m kagglecxr.kernel push {kernel_folder}" in output[6]
    assert run("push", kernel_folder, "--folds", 3) == 0
    assert fake_kernels.versions("umons-train-fold-1") == 2
    assert len(fake_kernels.pushed) == 4


def test_folds_that_kaggle_does_not_take_are_named(
    kernel_folder: Path, fake_kernels: FakeKernels, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_kernels.at_a_time, fake_kernels.status = 0, {"another": "RUNNING"}
    message = refusal(capsys, "push", kernel_folder, "--folds", 3)
    assert "train-fold-0, train-fold-1, train-fold-2 refused" in message


def test_a_kernel_alone_is_watched(
    kernel_folder: Path, fake_kernels: FakeKernels, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("push", kernel_folder) == 0
    assert run("status", kernel_folder) == 0
    assert "mary/umons-train  complete\n    it ran\n" in capsys.readouterr().out
