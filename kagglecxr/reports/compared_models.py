"""What is compared: finished runs and ensembles, by their out-of-fold predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.core.intervals import Groups, Interval, bootstrap_interval
from kagglecxr.core.metrics import Metric
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import (
    OOF,
    RunRecord,
    finished_runs,
    held_out_folds,
    read_run,
)
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.index import read_index
from kagglecxr.ensembling.calibration import cross_fit, fit_calibration
from kagglecxr.ensembling.ensemble_record import RECORD, EnsembleRecord, read_ensemble
from kagglecxr.inference.predictions import Predictions

RESAMPLES = 1000


@dataclass(frozen=True)
class ComparedModel:
    """A finished run, or an ensemble of some.

    Attributes:
        folder: of the run or the ensemble.
        runs: the folders of the run itself, or of those of the ensemble.
        records: those of `runs`.
        ensemble: its record; None for a run.
        oof: out-of-fold predictions; None for a run that has seen all training images.
        groups: (N,) the group of each of their images; None where the index lacks one of them.
        score: by the competition's metric; its bounds are NaN without groups.
    """

    name: str
    folder: Path
    runs: Sequence[Path]
    records: Sequence[RunRecord] = field(repr=False)
    ensemble: EnsembleRecord | None
    oof: Predictions | None = field(repr=False)
    groups: Groups | None = field(repr=False)
    score: Interval | None

    @property
    def targets(self) -> list[str]:
        """The names of the columns."""
        return self.records[0].targets

    @property
    def multilabel(self) -> bool:
        """Whether an image may have several of the targets."""
        return self.records[0].multilabel

    @cached_property
    def fold_of(self) -> npt.NDArray[np.intp] | None:
        """The fold (N,) of each image of `oof`; None where the run has kept none."""
        if self.oof is None or not (self.runs[0] / "folds.csv").is_file():
            return None
        fold_of = held_out_folds(self.runs[0])
        known = [fold_of.get(name, -1) for name in self.oof.ids.tolist()]
        return np.array(known, np.intp) if min(known) >= 0 and len(set(known)) > 1 else None

    @cached_property
    def calibrated(self) -> npt.NDArray[np.float32] | None:
        """The out-of-fold probabilities after a temperature fitted on the other folds.

        None where there are no such predictions or no folds, and of findings.
        """
        if self.oof is None or self.fold_of is None or self.multilabel:
            return None
        fit = partial(fit_calibration, "temperature")
        return cross_fit(fit, self.oof.probabilities, self.oof.truth, self.fold_of)


@dataclass(frozen=True)
class ComparedModels:
    """Runs and ensembles, the best first, and sentences on what was left out."""

    metric: Metric
    models: Sequence[ComparedModel]
    notes: Sequence[str]

    @property
    def scored(self) -> list[tuple[ComparedModel, Predictions, Interval]]:
        """Those with a score, their out-of-fold predictions and the score, the best first."""
        return [
            (model, model.oof, model.score)
            for model in self.models
            if model.oof is not None and model.score is not None and np.isfinite(model.score.score)
        ]


def count_models(models: Sequence[ComparedModel]) -> str:
    """Returns how many runs and how many ensembles there are, as text."""
    ensembles = sum(model.ensemble is not None for model in models)
    counts = (len(models) - ensembles, "run"), (ensembles, "ensemble")
    return " and ".join(f"{n} {what}{'s' * (n > 1)}" for n, what in counts if n)


def read_models(
    competition: Competition, workspace: Workspace, seed: int, reporter: Reporter
) -> ComparedModels:
    """Reads all finished runs and ensembles of a workspace, the best first.

    Those without out-of-fold predictions are last. An ensemble named like a run is that run alone,
    and is left out; so is one that cannot be read, which is noted.

    Raises:
        MissingError: there is no finished run, or no index.
        DataError: a run's record or predictions are damaged.
    """
    folders = finished_runs(workspace.runs)
    if not folders:
        raise MissingError(
            f"There are no finished runs to compare. Looked in: {workspace.runs}. "
            f"Run: {workspace.command('train')}"
        )
    records = {folder.name: read_run(folder) for folder in folders}
    metric = _metric_of(competition, records[folders[0].name])
    group_of = _groups(workspace)
    models, notes = [], list[str]()
    ensembles = sorted(path.parent for path in workspace.ensembles.glob(f"*/{RECORD}"))
    ensembles = [folder for folder in ensembles if folder.name not in records]
    with reporter.bar("Resampling", len(folders) + len(ensembles)) as bar:
        for folder in folders:
            models.append(
                _read(folder, [folder], [records[folder.name]], None, metric, group_of, seed)
            )
            bar.advance()
        for folder in ensembles:
            try:
                record = read_ensemble(folder)
                of = [read_run(workspace.run(name)) for name in record.runs]
                runs = [workspace.runs / name for name in record.runs]
                models.append(_read(folder, runs, of, record, metric, group_of, seed))
            except CxrError as error:
                notes.append(f"The ensemble {folder.name} is left out. {error}")
            bar.advance()
    ranked = sorted(models, key=lambda model: _rank(model, metric))
    return ComparedModels(metric, ranked, notes)


def read_run_alone(
    competition: Competition, workspace: Workspace, run: Path, seed: int
) -> ComparedModels:
    """Reads one finished run, as `read_models` does.

    Raises:
        MissingError: there is no index.
        DataError: the run's record or predictions are damaged.
    """
    record = read_run(run)
    metric = _metric_of(competition, record)
    group_of = _groups(workspace)
    return ComparedModels(metric, [_read(run, [run], [record], None, metric, group_of, seed)], [])


def _metric_of(competition: Competition, record: RunRecord) -> Metric:
    # The TOML need not say that images may have several labels: the table of labels does.
    described = competition.with_findings() if record.multilabel else competition
    return described.with_classes(record.targets).evaluation_metric()


def _groups(workspace: Workspace) -> dict[str, str]:
    index = read_index(workspace.require(workspace.index, "prepare"))
    return dict(zip(index.ids, index.table["group"], strict=True))


def _read(
    folder: Path,
    runs: Sequence[Path],
    records: Sequence[RunRecord],
    ensemble: EnsembleRecord | None,
    metric: Metric,
    group_of: dict[str, str],
    seed: int,
) -> ComparedModel:
    oof = Predictions.load(folder / OOF) if (folder / OOF).is_file() else None
    groups, score = None, None
    if oof is not None:
        ids = oof.ids.tolist()
        score = Interval(metric(oof.truth, oof.probabilities), np.nan, np.nan)
        if all(name in group_of for name in ids):
            groups = np.array([group_of[name] for name in ids], dtype=object)
            score = bootstrap_interval(
                metric,
                oof.truth,
                oof.probabilities,
                groups,
                generator(seed, "compare", folder.name),
                RESAMPLES,
            )
    return ComparedModel(folder.name, folder, runs, records, ensemble, oof, groups, score)


def _rank(model: ComparedModel, metric: Metric) -> tuple[bool, float]:
    if model.score is None or np.isnan(model.score.score):
        return True, 0.0
    return False, -metric.gain(model.score.score, 0.0)
