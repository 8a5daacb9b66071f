"""Packs the datasets that the kernels need and chooses the kernels' settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tomli_w

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import PRESETS, Competition
from kagglecxr.data.prepare import load_prepared
from kagglecxr.ensembling.run_selection import choose_runs
from kagglecxr.remote.datasets.dataset_metadata import DatasetMetadata
from kagglecxr.remote.datasets.run_archives import pack_run
from kagglecxr.remote.datasets.wheels import build_wheels
from kagglecxr.remote.kernels.builder import (
    ExpectedResult,
    KernelSettings,
    PrepareSettings,
    kernel_slug,
)
from kagglecxr.remote.kernels.kernel_options import KernelOptions


@dataclass(frozen=True)
class DatasetFolder:
    """A folder to publish as the dataset `ref`, `owner/slug`."""

    ref: str
    folder: Path


def choose_kernel_runs(
    competition: Competition, workspace: Workspace, names: Sequence[str]
) -> list[Path]:
    """The named runs; by default the best one, or none if none is trained.

    Raises:
        UnknownNameError: no such run.
    """
    if not names and not any(workspace.runs.glob("*/run.json")):
        return []
    return choose_runs(load_prepared(competition, workspace), workspace, names)


def pack_datasets(owner: str, workspace: Workspace, runs: Sequence[Path]) -> list[DatasetFolder]:
    """Packs the dataset of wheels and, if there are runs, that of the runs and no others."""
    wheels = DatasetFolder(f"{owner}/kagglecxr-wheels", workspace.kaggle / "wheels")
    build_wheels(wheels.folder)
    datasets = [(wheels, "apache-2.0")]
    if runs:
        slug = kernel_slug(workspace.competition, "runs")
        packed = DatasetFolder(f"{owner}/{slug}", workspace.kaggle / "runs")
        archives = {pack_run(run, packed.folder) for run in runs}
        for old in {*packed.folder.glob("*.zip")} - archives:
            old.unlink()
        # What was learned from a competition's data may be subject to its terms.
        datasets.append((packed, "other"))
    for dataset, licence in datasets:
        title = dataset.ref.partition("/")[2]
        values = {"id": dataset.ref, "title": title, "licenses": [{"name": licence}]}
        DatasetMetadata.parse(values).write(dataset.folder)
    return [dataset for dataset, _ in datasets]


def plan_kernels(
    competition: Competition,
    given: str,
    workspace: Workspace,
    owner: str,
    datasets: Sequence[str],
    runs: Sequence[Path],
    options: KernelOptions,
) -> KernelSettings:
    """Chooses the kernels' settings, so that they prepare the data as they were prepared here.

    Args:
        competition: the description.
        given: how the competition was named on the command line; the text of a TOML file becomes
            part of the scripts.
        workspace: the competition's.
        owner: the user's name on Kaggle.
        datasets: that of the wheels and, if there are runs, that of the runs, `owner/slug`.
        runs: with which `submit` predicts.
        options: the user's choices.

    Raises:
        SettingError: the images are not on Kaggle.
    """
    source = competition.source
    slug = source.slug if source.kind in ("competition", "dataset") else options.data
    if not slug and source.kind != "demo":
        raise SettingError(
            f"The images are not on Kaggle. Received: a source of kind {source.kind}. Make a "
            "dataset of the folder and name it: --data OWNER/SLUG."
        )
    records = [read_run(run) for run in runs]
    metric = competition.metric.name
    score = records[0].metrics.get(f"oof_{metric}") if records else None
    seconds = sum(records[0].seconds) if records else None
    return KernelSettings(
        owner=owner,
        name=competition.name,
        kind=source.kind,
        slug=slug,
        wheels=datasets[0],
        description=_description(given, competition, slug),
        runs=datasets[1] if runs else "",
        run_names=tuple(record.name for record in records),
        prepare=_prepare_settings(workspace),
        options=replace(options, recipe=_read(options.recipe), space=_read(options.space)),
        expected={
            "train": ExpectedResult(metric, score, seconds),
            "submit": ExpectedResult(metric, score),
        },
    )


def _prepare_settings(workspace: Workspace) -> PrepareSettings:
    if not workspace.prepared.is_file():
        return PrepareSettings()
    values = read_json(workspace.prepared)
    if "options" not in values:
        raise MissingError(
            f"The data were prepared by an older version. Received: {workspace.prepared} without "
            f"the options of prepare. Run: python -m kagglecxr.prepare {workspace.competition}"
        )
    return PrepareSettings(**values["options"], seed=values["seed"])


def _description(given: str, competition: Competition, slug: str) -> str:
    """The competition as the text of a TOML file; empty for a preset."""
    if (PRESETS / f"{given}.toml").is_file():
        return ""
    if Path(given).is_file():
        return Path(given).read_text(encoding="utf-8")
    # A folder here is a dataset there; its classes are found as they were here.
    return tomli_w.dumps(
        {
            "name": competition.name,
            "source": {"kind": "dataset", "slug": slug},
            "metric": {"name": competition.metric.name},
        }
    )


def _read(given: str) -> str:
    """The text of a file, or a name as it is."""
    return Path(given).read_text(encoding="utf-8") if Path(given).is_file() else given
