"""Packs the datasets that the kernels need and chooses the kernels' settings."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import tomli_w

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.finding_metrics import finding_metric
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition, preset_names
from kagglecxr.remote.datasets.kaggle_dataset import DatasetMetadata
from kagglecxr.remote.datasets.run_archives import pack_run
from kagglecxr.remote.datasets.wheels import build_wheels
from kagglecxr.remote.kernels.builder import (
    ExpectedResult,
    KernelSettings,
    PrepareSettings,
    kernel_slug,
)
from kagglecxr.remote.kernels.kernel_options import KernelOptions


def pack_datasets(owner: str, workspace: Workspace, runs: Sequence[Path]) -> dict[str, Path]:
    """Packs the datasets of wheels and, if there are any, of runs; folders by `owner/slug`."""
    wheels, archives = workspace.kaggle / "wheels", workspace.kaggle / "runs"
    build_wheels(wheels)
    datasets = {f"{owner}/kagglecxr-wheels": wheels}
    if runs:
        packed = {pack_run(run, archives) for run in runs}
        for old in {*archives.glob("*.zip")} - packed:
            old.unlink()
        datasets[f"{owner}/{kernel_slug(workspace.competition, 'runs')}"] = archives
    for ref, folder in datasets.items():
        # What was learned from a competition's data may be subject to its terms.
        licenses = [{"name": "apache-2.0" if folder == wheels else "other"}]
        values = {"id": ref, "title": ref.partition("/")[2], "licenses": licenses}
        DatasetMetadata.parse(values).write(folder)
    return datasets


def plan_kernels(
    competition: Competition,
    given: str,
    workspace: Workspace,
    owner: str,
    datasets: Iterable[str],
    runs: Sequence[Path],
    options: KernelOptions,
) -> KernelSettings:
    """Chooses the kernels' settings, so that they prepare the data as they were prepared here.

    `given` names the competition as on the command line; the text of a TOML file becomes part of
    the scripts. `datasets` are those of `pack_datasets`; with `runs` the kernel `submit` predicts.

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
    wheels, *packed = datasets
    records = [read_run(run) for run in runs]
    metric = competition.metric.name
    if records and records[0].multilabel:
        # That there are findings the table of labels may have said, and not the TOML.
        metric = finding_metric(metric).name
    score = records[0].metrics.get(f"oof_{metric}") if records else None
    seconds = sum(records[0].seconds) if records else None
    return KernelSettings(
        owner=owner,
        name=competition.name,
        kind=source.kind,
        slug=slug,
        wheels=wheels,
        description=_description(given, competition, slug),
        runs=packed[0] if packed else "",
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
            f"the options of prepare. Run: {workspace.command('prepare')}"
        )
    return PrepareSettings(**values["options"], seed=values["seed"])


def _description(given: str, competition: Competition, slug: str) -> str:
    """The competition as the text of a TOML file; empty for a preset."""
    if given in preset_names():
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
