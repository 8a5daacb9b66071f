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
from kagglecxr.inference.export.file_formats import is_export, load_export

DEMO = "demo"
RUN = "run.json"


@dataclass(frozen=True)
class ModelChoice:
    """A model that a visitor may choose.

    Attributes:
        label: as the page names it.
        path: the folder of a run or an ensemble, or an exported file.
        workspace: where its reports are; None for an exported file.
        written: when it was made: results of one that was made anew are others.
    """

    label: str
    path: Path
    workspace: Workspace | None
    written: int

    @property
    def is_file(self) -> bool:
        """Whether it is an exported file."""
        return self.workspace is None


def check_models(models: Sequence[Path], workspace: Workspace) -> None:
    """Refuses what is no model before the page is open; files are loaded once for that.

    Raises:
        MissingError, SettingError: as `named_choice`.
        DataError: an exported file is damaged.
    """
    for path in models:
        if named_choice(path, workspace).is_file:
            load_export(path)


def named_choice(path: Path, workspace: Workspace) -> ModelChoice:
    """Returns a model that the operator named for a competition.

    Raises:
        MissingError: the path is of no run, ensemble or exported file.
        SettingError: the run learned masks.
    """
    is_file = is_export(path)
    if not (is_file or (path / RUN).is_file() or (path / RECORD).is_file()):
        raise MissingError(
            f"There is no such model. Received: --models {path}. Name the folder of a finished run "
            "or of an ensemble, or a file that export wrote."
        )
    if not is_file and segments(path):
        raise SettingError(
            f"A run of lung masks classifies nothing. Received: --models {path}. Name a run of "
            "train."
        )
    # A run or an ensemble lies in a folder of its workspace.
    own = None if is_file else replace(workspace, root=path.resolve().parent.parent)
    return _choice(path.name, path, own)


def _choice(label: str, path: Path, workspace: Workspace | None) -> ModelChoice:
    return ModelChoice(label, path, workspace, _record(path).stat().st_mtime_ns)


def _record(path: Path) -> Path:
    """The file that is written last when a model is made anew."""
    records = [path / RECORD, path / RUN]
    return next((record for record in records if record.is_file()), path)


def workspace_choices(workspace: Workspace, metric: Metric, prefix: str = "") -> list[ModelChoice]:
    """Returns the ensembles and runs of a workspace, the best out of fold first.

    Those without such a score, or whose record cannot be read, are last. Labels are their names
    after a prefix.
    """
    found = []
    for path in sorted(workspace.ensembles.glob(f"*/{RECORD}")):
        name = path.parent.name
        # An ensemble of a single run has its name, and is that run.
        if not (workspace.runs / name).is_dir():
            choice = _choice(f"{prefix}{name} (ensemble)", path.parent, workspace)
            found.append((_score(path.parent, metric), choice))
    found += [
        (_score(run, metric), _choice(f"{prefix}{run.name}", run, workspace))
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
        gain = -math.inf if score is None else metric.gain(float(score), 0.0)
    except (CxrError, AttributeError, TypeError, ValueError):
        return -math.inf
    return -math.inf if math.isnan(gain) else gain


def demo_choices(metric: Metric) -> list[ModelChoice]:
    """Returns the models of the demo's workspace, which have learned from drawn chests."""
    return workspace_choices(Workspace.of(DEMO, None, DEMO), metric, prefix="demo: ")
