"""The cells of one run or ensemble in the comparison table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import file_digest
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.intervals import Interval
from kagglecxr.core.metrics import METRICS, Labels, Metric, Probabilities
from kagglecxr.core.run_record import TEST
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.schema import Classes
from kagglecxr.ensembling.calibration import expected_calibration_error
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.ledger import REHEARSED, LedgerEntry
from kagglecxr.leaderboard.solution import read_solution
from kagglecxr.reports.compared_models import ComparedModel, ComparedModels
from kagglecxr.reports.latency import BATCH_SIZE, Latency
from kagglecxr.shortcuts.audit_record import read_audit

Cells = dict[str, str]
"""By the title of their row; empty where nothing is known."""

READS = "What it reads"
EPOCH_ROWS = {
    "Training loss": "loss",
    "Training accuracy": "accuracy",
    "Validation loss": "val_loss",
    "Validation accuracy": "val_accuracy",
}


def cells_of(
    model: ComparedModel,
    compared: ComparedModels,
    workspace: Workspace,
    ledger: Sequence[LedgerEntry],
    latencies: Mapping[str, Latency],
) -> Cells:
    """Returns the cells of one model, the same rows for each.

    Raises:
        DataError: its predictions are damaged.
    """
    records = model.records
    metrics = records[0].metrics if model.ensemble is None else {}
    names = ", ".join(record.model for record in records)
    return {
        "Model": names if model.ensemble is None else f"blend of {names}",
        "Parameters": f"{sum(record.parameters['all'] for record in records):,}",
        "Model size (MB)": f"{sum(record.megabytes for record in records):.2f}",
        "Folds": str(sum(record.folds for record in records)),
        **{title: _shown(metrics.get(name)) for title, name in EPOCH_ROWS.items()},
        **_score_cells(model, compared),
        **_calibration_cells(model),
        "Training time (s)": f"{sum(sum(record.seconds) for record in records):.0f}",
        **_latency_cells(model, latencies),
        **_test_cells(model, workspace),
        "Leaderboard score and rank": _leaderboard(model, ledger),
        **_audit_cells(model, workspace),
    }


def interval_text(score: Interval | None) -> str:
    """Returns the bounds of a score as text; empty where they are not known."""
    return "" if score is None or np.isnan(score.low) else f"{score.low:.4f} to {score.high:.4f}"


def _shown(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.4f}"


def _signed(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:+.4f}"


def _score_cells(model: ComparedModel, compared: ComparedModels) -> Cells:
    metric, oof = compared.metric, model.oof
    cells = {}
    known = FINDING_METRICS if model.multilabel else METRICS
    others = FINDING_METRICS.names() if model.multilabel else ["accuracy", "balanced_accuracy"]
    for name in dict.fromkeys((metric.name, *others)):
        measure = metric if name == metric.name else known[name]
        value = None if oof is None else measure(oof.truth, oof.probabilities)
        cells[f"Out-of-fold {measure.title}"] = _shown(value)
        if name == metric.name:
            cells["95 % interval"] = interval_text(model.score)
            cells[f"Apparent {metric.title}"] = _shown(_apparent_score(model, metric))
    return cells | {
        "Gain of test-time augmentation": _signed(_view_gain(model, metric)),
        "Gain of the blend": _signed(_blend_gain(model, compared)),
    }


def _apparent_score(model: ComparedModel, metric: Metric) -> float | None:
    """An ensemble's score on the images on which it was fitted; None for a run."""
    record = model.ensemble
    return record.apparent if record is not None and record.metric == metric.name else None


def _blend_gain(model: ComparedModel, compared: ComparedModels) -> float | None:
    """How much better an ensemble is than the best of its runs; None for a run."""
    runs = {run.name for run in model.runs}
    scores = [
        score.score
        for other, _, score in compared.scored
        if other.ensemble is None and other.name in runs
    ]
    if model.ensemble is None or model.score is None or not scores:
        return None
    return min(compared.metric.gain(model.score.score, score) for score in scores)


def _view_gain(model: ComparedModel, metric: Metric) -> float | None:
    """What the views of a run's recipe gain over the plain image, where its folds kept both."""
    oof = model.oof
    plain = None if model.ensemble is not None or oof is None else oof.without_views()
    if oof is None or plain is None:
        return None
    score = metric(plain.truth, plain.probabilities)
    return metric.gain(metric(oof.truth, oof.probabilities), score)


def _calibration_cells(model: ComparedModel) -> Cells:
    titles = (
        "Log loss", "Log loss, calibrated", "Calibration error", "Calibration error, calibrated",
    )  # fmt: skip
    oof = model.oof
    if oof is None or model.multilabel:
        return dict.fromkeys(titles, "")
    values: list[float | None] = []
    for measure in (_log_loss, expected_calibration_error):
        for probabilities in (oof.probabilities, model.calibrated):
            values.append(None if probabilities is None else measure(probabilities, oof.truth))
    return dict(zip(titles, map(_shown, values), strict=True))


def _log_loss(probabilities: Probabilities, truth: Labels) -> float:
    return METRICS["log_loss"](truth, probabilities)


def _latency_cells(model: ComparedModel, latencies: Mapping[str, Latency]) -> Cells:
    titles = ("Latency of one image (ms)", f"Latency in a batch of {BATCH_SIZE} (ms an image)")
    known = [latencies[run.name] for run in model.runs if run.name in latencies]
    if len(known) < len(model.runs):
        return dict.fromkeys(titles, "")
    sums = sum(each.single for each in known), sum(each.in_batch for each in known)
    return dict(zip(titles, (f"{1000 * seconds:.1f}" for seconds in sums), strict=True))


def _test_cells(model: ComparedModel, workspace: Workspace) -> Cells:
    """Returns the cells of the rehearsal test set; empty where there is none for this model."""
    titles = ("Test loss", "Test accuracy", "Test errors")
    path = model.folder / TEST
    if not (path.is_file() and workspace.solution.is_file()):
        return dict.fromkeys(titles, "")
    test = Predictions.load(path)
    try:
        classes = Classes(names=model.targets, multilabel=model.multilabel)
        solution = read_solution(workspace, classes)
    except DataError:
        # It is of other targets than the model.
        return dict.fromkeys(titles, "")
    if set(test.ids.tolist()) != set(solution.ids):
        return dict.fromkeys(titles, "")
    probabilities, truth = test.of(solution.ids), solution.truth
    if model.multilabel:
        loss = FINDING_METRICS["log_loss"](truth, probabilities)
        return {**dict.fromkeys(titles, ""), "Test loss": f"{loss:.4f}"}
    errors = int((probabilities.argmax(axis=1) != truth).sum())
    loss, accuracy = _log_loss(probabilities, truth), 1.0 - errors / len(truth)
    return dict(zip(titles, (f"{loss:.4f}", f"{accuracy:.4f}", str(errors)), strict=True))


def _audit_cells(model: ComparedModel, workspace: Workspace) -> Cells:
    """Returns what an audit of the run found; empty where there was none, as of ensembles."""
    titles = ("Background alone tells", "Fall of certainty on another background", READS)
    audit = read_audit(workspace.audits / model.name)
    if audit is None:
        return dict.fromkeys(titles, "")
    gap = audit.certainty_gap
    fall = "" if gap is None else f"{gap.score:.4f} ({interval_text(gap)})"
    background = f"{audit.background.score:.4f} ({interval_text(audit.background)})"
    return dict(zip(titles, (background, fall, audit.verdict), strict=True))


def _leaderboard(model: ComparedModel, ledger: Sequence[LedgerEntry]) -> str:
    """Returns score and rank of the latest submission of this model."""
    competition = model.records[0].competition
    name = f"{competition}-{model.name}.csv"
    for entry in reversed(ledger):
        if (Path(entry.file).name, entry.competition) == (name, competition):
            # What was sent to Kaggle keeps its out-of-fold score next to the leaderboard's.
            is_local = entry.status in ("", REHEARSED)
            score = entry.public_score or (entry.local_score if is_local else "")
            text = f"{float(score):.4f}" if score else entry.status or "pending"
            text += f", rank {entry.rank}" if entry.rank else ""
            file = Path(entry.file)
            is_other = file.is_file() and file_digest(file) != entry.sha256
            return f"{text} (an earlier version)" if is_other else text
    return ""
