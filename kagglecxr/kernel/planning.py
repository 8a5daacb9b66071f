"""What the kernels of a competition are made of, as far as its files tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.run import read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import PRESETS, Competition
from kagglecxr.data.preparation import load_prepared
from kagglecxr.inference.ensemble import choose_runs
from kagglecxr.kernel.wish import Wish
from kagglecxr.remote.kernels.building import Expected, KernelSettings


@dataclass(frozen=True)
class Asked:
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
    wish: Wish,
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
    asked = _asked(workspace)
    records = [read_run(run) for run in runs]
    metric = competition.metric.name
    measured = Expected(
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
        expected={"train": measured, "submit": Expected(metric, measured.score)},
        size=asked.size,
        pipeline=asked.pipeline,
        test=asked.test,
        folds=asked.folds,
        seed=asked.seed,
    )


def _asked(workspace: Workspace) -> Asked:
    if not workspace.prepared.is_file():
        return Asked()
    values = read_json(workspace.prepared)
    if "asked" not in values:
        raise MissingError(
            f"The data were prepared by an older version. Received: {workspace.prepared} without "
            f"what was asked for. Run: python -m kagglecxr.prepare {workspace.competition}"
        )
    return Asked(**values["asked"], seed=values["seed"])


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
