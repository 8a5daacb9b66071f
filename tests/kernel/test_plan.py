"""The datasets of a competition's kernels are packed with their metadata, and without old runs."""

from pathlib import Path

import pytest

from kagglecxr.core.run_record import RunRecord
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.kernel import plan
from kagglecxr.kernel.plan import pack_datasets, plan_kernels
from kagglecxr.remote.datasets.credential_scan import upload_files
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata
from kagglecxr.remote.kernels.kernel_options import KernelOptions
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


@pytest.mark.parametrize(
    ("multilabel", "expected"),
    [(True, "mean_auc 0.8300 out of fold"), (False, "accuracy 0.9000 out of fold")],
)
def test_the_expected_score_is_by_the_metric_that_the_run_has(
    tmp_path: Path, multilabel: bool, expected: str
) -> None:
    """A TOML without metric and names, whose table of labels says that there are findings."""
    (tmp_path / "tubes.toml").write_text(
        'name = "tubes"\n[source]\nkind = "dataset"\nslug = "mary/tubes"\n'
        '[layout]\nlabels = "train.csv"\n'
    )
    score = {"oof_mean_auc": 0.83} if multilabel else {"oof_accuracy": 0.9}
    record = RunRecord(
        name="cnn-1", competition="tubes", model="cnn", recipe={}, seed=0, folds=2,
        targets=["a", "b"], input_shape=(8, 8, 1), data={}, parameters={}, megabytes=1.0,
        versions={}, machine={}, seconds=[60.0, 60.0], metrics=score, multilabel=multilabel,
    )  # fmt: skip
    record.write(tmp_path / "cnn-1")
    toml = str(tmp_path / "tubes.toml")
    settings = plan_kernels(
        load_competition(toml), toml, Workspace(tmp_path / "work", "tubes"), "mary",
        ["mary/kagglecxr-wheels", "mary/tubes-runs"], [tmp_path / "cnn-1"], KernelOptions(),
    )  # fmt: skip
    assert str(settings.expected["submit"]) == expected
