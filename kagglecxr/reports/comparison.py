"""The table that compares all runs and ensembles of a competition."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.files import write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.leaderboard.ledger import read_ledger
from kagglecxr.reports.compared_models import ComparedModels, read_models
from kagglecxr.reports.comparison_cells import cells_of
from kagglecxr.reports.latency import Latency, measure_latency
from kagglecxr.reports.verdict import describe_best

PAGE = "compare.html"


@dataclass(frozen=True)
class Comparison:
    """All runs and ensembles of a competition.

    Attributes:
        compared: what is compared, the best first.
        table: a column per run and ensemble and a row per figure; unknown cells are empty.
        sentences: which is best, and whether it is better than the second by more than luck.
        machine: where latencies were measured; empty if they were not.
    """

    compared: ComparedModels
    table: pd.DataFrame
    sentences: Sequence[str]
    machine: str

    @property
    def explanation(self) -> list[str]:
        """How to read the table, in sentences."""
        sentences = [
            "Training figures are means over the folds at the last epoch, on balanced and "
            "augmented batches; validation figures are of each fold's held-out images without "
            "augmentation; out-of-fold figures are of all training images, each predicted with "
            "test-time augmentation by the fold that did not train on it, with 95 % intervals "
            "from resampled groups of images. Test figures need a rehearsal test set and "
            "`ensemble`.",
            "Size, parameters, folds and time of an ensemble are sums over its runs. Its "
            "out-of-fold figures are nested: each fold is predicted by an ensemble that was fitted "
            "on the others. Its apparent score is of the images on which it was fitted, so it "
            "flatters.",
            "Log loss and expected calibration error are of the out-of-fold predictions as they "
            "are, and after a temperature fitted on the other folds.",
        ]
        latencies = "Empty cells are not known; latencies are measured by `compare --latency`."
        if self.machine:
            latencies = (
                "Latencies are medians of one fold with one view, models loaded and warm, on "
                f"{self.machine}. Empty cells are not known."
            )
        return [*sentences, latencies, *self.compared.notes]


def compare_runs(
    competition: Competition,
    workspace: Workspace,
    ledger_file: Path,
    reporter: Reporter,
    *,
    seed: int = 0,
    clock: Callable[[], float] | None = None,
) -> Comparison:
    """Compares all finished runs and ensembles, by files of the workspace alone.

    Args:
        competition: whose metric decides which is best.
        workspace: with runs and ensembles.
        ledger_file: with scores and ranks of submissions.
        reporter: shows the progress.
        seed: of the bootstrap.
        clock: counts seconds, to measure each run's latency; defaults to no measurement.

    Raises:
        MissingError: there is no finished run, or no index.
        DataError: a run's record or predictions are damaged.
    """
    compared = read_models(competition, workspace, seed, reporter)
    latencies: Mapping[str, Latency] = {}
    if clock is not None:
        latencies = measure_latency(compared.models, clock, reporter)
    ledger = read_ledger(ledger_file)
    columns = {
        model.name: cells_of(model, compared, workspace, ledger, latencies)
        for model in compared.models
    }
    titles = next(iter(columns.values()))
    cells = {name: list(column.values()) for name, column in columns.items()}
    machine = next(iter(latencies.values())).machine if latencies else ""
    table = pd.DataFrame({"": list(titles), **cells})
    return Comparison(compared, table, describe_best(compared, seed), machine)


def write_comparison(comparison: Comparison, page: str, folder: Path) -> list[Path]:
    """Writes compare.csv, compare.md and compare.html, the page."""
    paths = [folder / name for name in ("compare.csv", "compare.md", PAGE)]
    write_table(paths[0], comparison.table)
    write_text(paths[1], to_markdown(comparison.table))
    write_text(paths[2], page)
    return paths


def to_markdown(table: pd.DataFrame) -> str:
    """Returns the table in GitHub's Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    escaped = [[str(cell).replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)
