"""The page of one run, for a reader who was not there: a summary first, then all that is known."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kagglecxr.core.files import write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.reports import comparison_sections as sections_of
from kagglecxr.reports.compared_models import ComparedModels, read_run_alone
from kagglecxr.reports.comparison_cells import READS, cells_of
from kagglecxr.reports.comparison_page import DPI
from kagglecxr.reports.finding_sections import finding_sections
from kagglecxr.reports.page import PageSection, draw_page
from kagglecxr.reports.run_model_card import NOT_FOR_DIAGNOSIS, model_card
from kagglecxr.shortcuts.audit_record import read_audit

PAGE, CARD = "index.html", "model_card.md"
COST = ("Training time (s)", "Model", "Parameters", "Model size (MB)", "Folds")


def write_run_page(
    competition: Competition, workspace: Workspace, run: Path, seed: int, reporter: Reporter
) -> Path:
    """Writes a run's page, whole in itself, and its model card; returns the page.

    Args:
        competition: whose metric counts.
        workspace: of the run, with its audit if there is one.
        run: its folder.
        seed: of the intervals.
        reporter: shows the progress.

    Raises:
        DataError: a file of the run is damaged.
        MissingError: there is no index.
    """
    compared = read_run_alone(competition, workspace, run, seed)
    summary = summarise(compared, workspace)
    title = f"{run.name}: {competition.title or competition.name}"
    page = draw_page(
        title,
        NOT_FOR_DIAGNOSIS,
        lambda: [_summary_section(summary), *_detail(compared, workspace, seed)],
        reporter,
        DPI,
    )
    write_text(run / PAGE, page)
    write_text(run / CARD, model_card(compared.models[0].records[0], competition, summary))
    return run / PAGE


def card_of_runs(
    competition: Competition, workspace: Workspace, runs: Sequence[Path], seed: int
) -> str:
    """Returns the model cards of runs with what is known of them now, one after the other.

    Raises:
        DataError: a file of a run is damaged.
        MissingError: there is no index.
    """
    cards = []
    for run in runs:
        compared = read_run_alone(competition, workspace, run, seed)
        record = compared.models[0].records[0]
        cards.append(model_card(record, competition, summarise(compared, workspace)))
    return "\n".join(cards)


def summarise(compared: ComparedModels, workspace: Workspace) -> dict[str, str]:
    """Returns a run's precision, its computing time and what it reads, as text by title."""
    [model] = compared.models
    cells = cells_of(model, compared, workspace, [], {})
    known = {title: cell for title, cell in cells.items() if cell}
    if model.oof is not None and not model.multilabel:
        truth, predicted = model.oof.truth, model.oof.probabilities.argmax(axis=1)
        recalls = [
            f"{name} {(predicted[truth == number] == number).mean():.2f}"
            for number, name in enumerate(model.targets)
            if (truth == number).any()
        ]
        known["Out-of-fold recall"] = ", ".join(recalls)
    audit = read_audit(workspace.audits / model.name)
    ask = f"not audited yet: {workspace.command('audit', model.name)}"
    known[READS] = ask if audit is None else audit.sentence
    precision = [title for title in known if title.startswith(("Out-of-fold", "95 %"))]
    first = [*precision, READS, *(title for title in COST if title in known)]
    return {title: known[title] for title in dict.fromkeys([*first, *known])}


def _summary_section(summary: dict[str, str]) -> PageSection:
    sentences = [
        "How precise it is, what its answers come from as far as that was measured, what it costs, "
        "and what else is known. Out-of-fold figures are of all training images, each predicted by "
        "the fold that did not learn from it."
    ]
    table = pd.DataFrame({"": list(summary), "value": list(summary.values())})
    return PageSection("Summary", sentences, (), table)


def _detail(compared: ComparedModels, workspace: Workspace, seed: int) -> list[PageSection]:
    [model] = compared.models
    learning = sections_of.learning_section([model])
    if not compared.scored:
        return [learning]
    _, oof, _ = compared.scored[0]
    both = [(model, oof)]
    if model.multilabel:
        return [learning, *finding_sections(both, seed)]
    return [
        learning,
        sections_of.classes_section(both),
        sections_of.curves_section(both),
        sections_of.calibration_section(both),
        sections_of.thresholds_section(model, oof, compared.metric),
        sections_of.metrics_section(both, compared.metric, seed),
        sections_of.errors_section(model, oof, workspace, seed),
    ]
