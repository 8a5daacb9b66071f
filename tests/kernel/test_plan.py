"""The datasets of a competition's kernels are packed with their metadata, and without old runs."""

from pathlib import Path

import pytest

from kagglecxr.core.workspace import Workspace
from kagglecxr.kernel import plan
from kagglecxr.kernel.plan import pack_datasets
from kagglecxr.remote.datasets.credential_scan import upload_files
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata
from tests.remote.datasets.conftest import make_run


def test_wheels_and_the_chosen_runs_are_packed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_wheel(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kagglecxr-1-py3-none-any.whl").touch()

    monkeypatch.setattr(plan, "build_wheels", one_wheel)
    workspace = Workspace(tmp_path / "work", "lungs")
    first, second = (make_run(tmp_path / "runs" / name, [0, 1]) for name in ("cnn-1", "cnn-2"))
    assert pack_datasets("mary", workspace, []) == {
        "mary/kagglecxr-wheels": workspace.kaggle / "wheels"
    }
    pack_datasets("mary", workspace, [first, second])
    datasets = pack_datasets("mary", workspace, [second])
    assert [*datasets] == ["mary/kagglecxr-wheels", "mary/lungs-runs"]
    names = [[path.name for path in upload_files(folder)] for folder in datasets.values()]
    assert names == [["kagglecxr-1-py3-none-any.whl"], ["cnn-2.zip"]]
    for ref, folder, licence in zip(
        datasets, datasets.values(), ("apache-2.0", "other"), strict=True
    ):
        metadata = DatasetMetadata.read(folder)
        assert (metadata.id, metadata.licenses[0].name) == (ref, licence)
