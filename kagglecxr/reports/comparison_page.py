"""The page that compares all runs and ensembles: which is best, is it luck, and where it errs."""

from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.reports import comparison_sections as sections_of
from kagglecxr.reports.compared_models import ComparedModels
from kagglecxr.reports.comparison import Comparison
from kagglecxr.reports.curves import score_intervals
from kagglecxr.reports.finding_sections import finding_sections
from kagglecxr.reports.page import PageFigure, PageSection, draw_page

DETAILED = 4
"""How many of the best are shown in detail."""
DPI = 100
"""The page stays below 3 MB."""


def render_comparison(
    comparison: Comparison,
    workspace: Workspace,
    competition: Competition,
    seed: int,
    reporter: Reporter,
) -> str:
    """Renders the page, whole in itself."""
    introduction = " ".join(comparison.sentences)
    title = f"Comparison of runs: {competition.title or competition.name}"
    return draw_page(
        title, introduction, lambda: _sections(comparison, workspace, seed), reporter, DPI
    )


def _sections(comparison: Comparison, workspace: Workspace, seed: int) -> list[PageSection]:
    compared, metric = comparison.compared, comparison.compared.metric
    table = comparison.table
    every = PageSection("All runs and ensembles", comparison.explanation, (), table)
    runs = [model for model in compared.models if model.ensemble is None][:DETAILED]
    if not compared.scored:
        return [every, sections_of.learning_section(runs)]
    best, oof, _ = compared.scored[0]
    detailed = [(model, predicted) for model, predicted, _ in compared.scored[:DETAILED]]
    first = [_scores_section(compared), every, sections_of.learning_section(runs)]
    if best.multilabel:
        return [*first, *finding_sections(detailed, seed)]
    return [
        *first,
        sections_of.classes_section(detailed),
        sections_of.curves_section(detailed),
        sections_of.calibration_section(detailed),
        sections_of.thresholds_section(best, oof, metric),
        sections_of.metrics_section(detailed, metric, seed),
        sections_of.errors_section(best, oof, workspace, seed),
    ]


def _scores_section(compared: ComparedModels) -> PageSection:
    models, _, scores = zip(*compared.scored, strict=True)
    are_ensembles = [model.ensemble is not None for model in models]
    metric = compared.metric.title
    figure = score_intervals([m.name for m in models], scores, are_ensembles, metric)
    caption = (
        f"Out-of-fold {metric} with 95 % intervals; the grey band is that of the best. Two whose "
        "intervals overlap may still differ: the sentence at the top compares them image by image."
    )
    if any(are_ensembles):
        caption += " Diamonds are ensembles."
    alt = f"Scores of {', '.join(model.name for model in models)}."
    return PageSection("Scores", [], [PageFigure("scores", figure, alt, caption)])
