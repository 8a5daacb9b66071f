"""Which models the page offers: those named, those of the workspace, or the demo's."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kagglecxr.core.errors import CxrError, MissingError, SettingError
from kagglecxr.core.metrics import Metric
from kagglecxr.core.run_record import finished_runs, read_run, segments
from kagglecxr.core.workspace import Workspace
from kagglecxr.ensembling.ensemble_record import RECORD, read_ensemble
from kagglecxr.inference.export.file_formats import is_export

DEMO = "demo"


@dataclass(frozen=True)
class ModelChoice:
    """A model that a visitor may choose.

    Attributes:
        label: as the page names it.
        path: the folder of a run or an ensemble, or an exported file.
        workspace: where its reports are; None for an exported file.
    """

    label: str
    path: Path
    workspace: Workspace | None

    @property
    def is_file(self) -> bool:
        """Whether it is an exported file."""
        return self.workspace is None

    @property
    def record(self) -> Path:
        """The file that is written last when the model is made anew."""
        if self.is_file:
            return self.path
        ensemble = self.path / RECORD
        return ensemble if ensemble.is_file() else self.path / "run.json"


def named_choices(models: Sequence[Path], workspace: Workspace) -> list[ModelChoice]:
    """Returns the models that the operator named for a competition.

    Raises:
        MissingError: a path is of no run, ensemble or exported file.
        SettingError: a run learned masks.
    """
    choices = []
    for path in models:
        is_file = is_export(path)
        if not (is_file or (path / "run.json").is_file() or (path / RECORD).is_file()):
            raise MissingError(
                f"There is no such model. Received: --models {path}. Name the folder of a finished "
                "run or of an ensemble, or a file that export wrote."
            )
        if not is_file and segments(path):
            raise SettingError(
                f"A run of lung masks classifies nothing. Received: --models {path}. Name a run of "
                "train."
            )
        # A run or an ensemble lies in a folder of its workspace.
        own = replace(workspace, root=path.resolve().parent.parent)
        choices.append(ModelChoice(path.name, path, None if is_file else own))
    return choices


def workspace_choices(workspace: Workspace, metric: Metric, prefix: str = "") -> list[ModelChoice]:
    """Returns the ensembles and runs of a workspace, the best out of fold first.

    Labels are their names after a prefix.

    Those without such a score, or whose record cannot be read, are last.
    """
    found = []
    for path in sorted(workspace.ensembles.glob(f"*/{RECORD}")):
        name = path.parent.name
        # An ensemble of a single run has its name, and is that run.
        if not (workspace.runs / name).is_dir():
            choice = ModelChoice(f"{prefix}{name} (ensemble)", path.parent, workspace)
            found.append((_score(path.parent, metric), choice))
    found += [
        (_score(run, metric), ModelChoice(f"{prefix}{run.name}", run, workspace))
        for run in sorted(finished_runs(workspace.runs))
    ]
    return [choice for _, choice in sorted(found, key=lambda each: -each[0])]


def _score(folder: Path, metric: Metric) -> float:
    """How good a model is out of fold, the more the better."""
    try:
        if (folder / RECORD).is_file():
            score = read_ensemble(folder).out_of_fold
        else:
            score = read_run(folder).metrics.get(f"oof_{metric.name}")
    except CxrError:
        score = None
    return -math.inf if score is None or math.isnan(score) else metric.gain(score, 0.0)


def demo_choices(metric: Metric) -> list[ModelChoice]:
    """Returns the models of the demo's workspace, which have learned from drawn chests."""
    return workspace_choices(Workspace.of(DEMO, None, DEMO), metric, prefix="demo: ")
