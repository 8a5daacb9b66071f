"""Packs the datasets that the kernels need and chooses the kernels' settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.run_record import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import PRESETS, Competition
from kagglecxr.data.prepare import load_prepared
from kagglecxr.ensembling.run_selection import choose_runs
from kagglecxr.kernel.steps import KernelOptions
from kagglecxr.remote.datasets.dataset_metadata import dataset_metadata
from kagglecxr.remote.datasets.run_archives import pack_run
from kagglecxr.remote.datasets.wheels import build_wheels
from kagglecxr.remote.kernels.builder import ExpectedResult, KernelSettings, kernel_slug


@dataclass(frozen=True)
class PrepareDefaults:
    """What `prepare` was asked for here, or what it does unless told."""

    size: int = 224
    pipeline: str = "gray | resize"
    test: float = 0.2
    folds: int = 5
    seed: int = 0


def chosen_runs(competition: Competition, workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """The runs named, or the best; none where none is trained.

    Raises:
        UnknownNameError: no such run.
    """
    if not names and not any(workspace.runs.glob("*/run.json")):
        return []
    return choose_runs(load_prepared(competition, workspace), workspace, names)


def plan_kernels(
    competition: Competition,
    given: str,
    workspace: Workspace,
    owner: str,
    datasets: Sequence[str],
    runs: Sequence[Path],
    wish: KernelOptions,
) -> KernelSettings:
    """The settings of the kernels: the data prepared there as they were here.

    Args:
        competition: the described one.
        given: how it was named on the command line; a TOML file travels in the scripts.
        workspace: the competition's.
        owner: the user's name on Kaggle.
        datasets: of wheels, and of runs where there are any.
        runs: what `submit` predicts with.
        wish: what was asked for.

    Raises:
        SettingError: the images are nowhere on Kaggle.
    """
    source = competition.source
    slug = source.slug if source.kind in ("competition", "dataset") else wish.data
    if not slug and source.kind != "demo":
        raise SettingError(
            f"Kaggle does not have the images. Received: a source of kind {source.kind}. Make a "
            "dataset of the folder and name it: --data OWNER/SLUG."
        )
    asked = _prepare_defaults(workspace)
    records = [read_run(run) for run in runs]
    metric = competition.metric.name
    measured = ExpectedResult(
        metric,
        records[0].metrics.get(f"oof_{metric}") if records else None,
        sum(records[0].seconds) if records else None,
    )
    return KernelSettings(
        owner=owner,
        name=competition.name,
        kind=source.kind,
        slug=slug,
        wheels=datasets[0],
        description=_description(given, competition, slug),
        runs=datasets[1] if len(datasets) > 1 else "",
        run_names=tuple(record.name for record in records),
        recipe=_text_or_name(wish.recipe),
        changes=wish.changes,
        space=_text_or_name(wish.space),
        trials=wish.trials,
        datasets=wish.attach,
        accelerator=wish.accelerator,
        private=not wish.public,
        internet=wish.internet,
        expected={"train": measured, "submit": ExpectedResult(metric, measured.score)},
        size=asked.size,
        pipeline=asked.pipeline,
        test=asked.test,
        folds=asked.folds,
        seed=asked.seed,
    )


def _prepare_defaults(workspace: Workspace) -> PrepareDefaults:
    if not workspace.prepared.is_file():
        return PrepareDefaults()
    values = read_json(workspace.prepared)
    if "options" not in values:
        raise MissingError(
            f"The data were prepared by an older version. Received: {workspace.prepared} without "
            f"its options. Run: python -m kagglecxr.prepare {workspace.competition}"
        )
    return PrepareDefaults(**values["options"], seed=values["seed"])


def _description(given: str, competition: Competition, slug: str) -> str:
    """The text that tells the competition where the kit does not know it."""
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


def _text_or_name(given: str) -> str:
    return Path(given).read_text(encoding="utf-8") if Path(given).is_file() else given


WHEELS = "kagglecxr-wheels"


@dataclass(frozen=True)
class DatasetFolder:
    """A folder that is to become a dataset.

    Attributes:
        ref: `owner/slug` of the dataset.
        folder: its files, and its metadata.
    """

    ref: str
    folder: Path


def pack_wheels(owner: str, folder: Path) -> DatasetFolder:
    """The wheels of the kit, and of what it needs and Kaggle's image lacks."""
    build_wheels(folder)
    return _with_metadata(f"{owner}/{WHEELS}", "apache-2.0", folder)


def pack_runs(owner: str, competition: str, runs: Sequence[Path], folder: Path) -> DatasetFolder:
    """An archive a run; those of other runs are removed from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = [pack_run(run, folder) for run in runs]
    for old in {*folder.glob("*.zip")} - {*packed}:
        old.unlink()
    # What was learned from a competition's data may be under its terms.
    return _with_metadata(f"{owner}/{kernel_slug(competition, 'runs')}", "other", folder)


def _with_metadata(ref: str, licence: str, folder: Path) -> DatasetFolder:
    title = ref.partition("/")[2]
    dataset_metadata({"id": ref, "title": title, "licenses": [{"name": licence}]}).write(folder)
    return DatasetFolder(ref, folder)
