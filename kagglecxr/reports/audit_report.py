"""The page of an audit, its tables and its numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.reports.audit_figures import (
    gap_heatmap,
    part_examples,
    region_heatmap,
    relevance_examples,
    swap_examples,
)
from kagglecxr.reports.page import PageFigure, PageSection, draw_page
from kagglecxr.shortcuts.audit_record import AuditRecord
from kagglecxr.shortcuts.audit_run import Audit
from kagglecxr.shortcuts.background_gap import BackgroundGap
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix
from kagglecxr.shortcuts.regions import BACKGROUND, SHAPE, WHOLE
from kagglecxr.shortcuts.relevance import RelevanceShares
from kagglecxr.shortcuts.sources import SourceTests

PAGE = "index.html"
LIMITS = (
    "What the audit cannot see: a cue inside of the lungs alone, as a tube or the grain of a "
    "detector there; and a disease that shows outside of them, as a large heart, counts as "
    "background here. The lungs reach 4 % of the image's side beyond their mask.",
    "Out-of-fold scores, and all of these, are of images from the hospitals that the run learned "
    "from. Only images of another hospital tell what it is worth there.",
)


def check_folder(folder: Path) -> Path:
    """Makes the folder of an audit, before anything slow begins.

    Raises:
        SettingError: a file is in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingError(
            f"An audit needs a folder where a file is. Received: {folder}. Move that file, or name "
            "another folder with --work."
        ) from error
    return folder


def report_audit(audit: Audit, folder: Path, reporter: Reporter) -> Path:
    """Writes the page with its figures, a CSV file of each table and audit.json.

    Returns:
        The page.
    """
    name = audit.member.record.name
    tables = {
        "regions": region_table(audit.regions, audit.targets),
        "swaps": _swap_table(audit),
        "sources": pd.DataFrame() if audit.sources is None else audit.sources.table,
        "relevance": pd.DataFrame() if audit.relevance is None else audit.relevance.table,
        "subgroups": audit.subgroups,
    }
    for part, table in tables.items():
        path = folder / f"{part}.csv"
        path.unlink(missing_ok=True)
        if len(table):
            write_table(path, table.round(4))
    record = record_of(audit)
    record.write(folder)
    title = f"What does {name} read?"
    page = draw_page(title, record.sentence, lambda: _sections(audit, tables), reporter)
    write_text(folder / PAGE, page)
    return folder / PAGE


def record_of(audit: Audit) -> AuditRecord:
    """Returns what an audit found, as it is kept."""
    verdict, gap, sources = audit.verdict, audit.gap, audit.sources
    return AuditRecord(
        verdict.kind,
        verdict.sentence(audit.member.record.name),
        len(audit.audited.ids),
        verdict.chance,
        verdict.whole,
        verdict.background,
        None if gap is None else gap.same,
        None if gap is None else gap.other,
        None if gap is None else gap.accuracy,
        None if gap is None else gap.certainty,
        None if sources is None else sources.told,
    )


def region_table(regions: RegionMatrix, targets: list[str]) -> pd.DataFrame:
    """Returns `trained,shown,balanced_accuracy` and the recall of each class."""
    lines = []
    for trained, shown in regions.probabilities:
        recalls = regions.recalls(trained, shown)
        by_class = dict(zip(targets, recalls.tolist(), strict=True))
        mean = float(np.nanmean(recalls))
        lines.append({"trained": trained, "shown": shown, "balanced_accuracy": mean} | by_class)
    return pd.DataFrame(lines)


def _swap_table(audit: Audit) -> pd.DataFrame:
    if audit.gap is None:
        return pd.DataFrame()
    table = pd.DataFrame(audit.gap.right, columns=audit.targets)
    table.insert(0, "lungs", audit.targets)
    return table


def _sections(audit: Audit, tables: dict[str, pd.DataFrame]) -> list[PageSection]:
    sections = [_region_section(audit, tables["regions"])]
    if audit.gap is not None:
        sections.append(_gap_section(audit, audit.gap))
    if audit.relevance is not None:
        sections.append(_relevance_section(audit, audit.relevance))
    if audit.sources is not None:
        sections.append(_source_section(audit.sources))
    if len(audit.subgroups):
        words = "Recall in parts of the images of at least 20, out of fold, from a single view."
        sections.append(
            PageSection("Recall by source, view, age and sex", [words], (), _shown(audit.subgroups))
        )
    sections.append(PageSection("What this cannot tell", LIMITS))
    return sections


def _region_section(audit: Audit, table: pd.DataFrame) -> PageSection:
    is_run = (table["trained"] == AS_TRAINED) & (table["shown"] == WHOLE)
    own = table[is_run | (table["trained"] == table["shown"])]
    own = own.assign(trained=own["trained"].where(own["trained"] == AS_TRAINED, "a head"))
    of_head = own[own["trained"] == "a head"].set_index("shown")["balanced_accuracy"]
    by_shape, by_background = of_head[SHAPE], of_head[BACKGROUND]
    sentences = [
        "A head was trained on what the run's network makes of each part of the image, and shown "
        "each part of images it had not seen. Numbers are balanced accuracies; the first row of "
        "the picture, and of the table, is the run as it is. Lettering that lies on the lungs "
        "stays in each part.",
        f"The background alone has {by_background:.2f}, and the mere shape of the cut-out lungs "
        f"{by_shape:.2f}, where {audit.verdict.chance:.2f} is chance. The table has the recall of "
        "each class, by heads that were trained on what they are shown.",
    ]
    pictures = [
        PageFigure(
            "regions", region_heatmap(audit.regions, audit.verdict.chance),
            "Balanced accuracy by the part that a head was trained on and the part it was shown.",
            "Balanced accuracy: trained on (rows), shown (columns).",
        ),
        PageFigure(
            "parts", part_examples(audit.audited, audit.targets),
            "One image of each class and its parts.", "What is left of an image of each class.",
        ),
    ]  # fmt: skip
    return PageSection("Parts of the image", sentences, pictures, _shown(own))


def _gap_section(audit: Audit, gap: BackgroundGap) -> PageSection:
    sentences = [
        f"The lungs of {gap.images:,} images were put into other images, {gap.rounds} of each "
        f"class. Where the background is of the lungs' class {gap.same:.0%} are classified "
        f"correctly, where it is of another {gap.other:.0%}: a difference of {gap.accuracy}. The "
        f"probability of the lungs' class differs by {gap.certainty}. A run that reads the lungs "
        "alone has 0."
    ]
    pictures = [
        PageFigure(
            "swaps", gap_heatmap(gap, audit.targets),
            "Share of right answers by the class of the lungs and of the background.",
            "Share of right answers. A cue in the background makes the diagonal stand out.",
        ),
        PageFigure(
            "swapped", swap_examples(audit.audited, audit.targets),
            "Lungs of one class in backgrounds of another.",
            "Lungs (rows) in backgrounds (columns), all composed of two images.",
        ),
    ]  # fmt: skip
    return PageSection("Lungs in other backgrounds", sentences, pictures)


def _relevance_section(audit: Audit, relevance: RelevanceShares) -> PageSection:
    sentences = [
        "The share of each map's positive part that is in the lungs, beside the share of the "
        "image that the lungs have (what a map without any preference has) and the share by a "
        "network with random weights: a map is evidence only as far as it differs from both.",
        "Pointing: the share of maps whose highest pixel is in the lungs. Deletion and insertion: "
        "the mean probability of the class while pixels are taken away or given back, the most "
        "relevant first; a good map has a lower deletion and a higher insertion than the random "
        "order in the last line.",
    ]
    picture = PageFigure(
        "relevance", relevance_examples(audit.audited, relevance, audit.targets),
        "Images with saliency maps and the lungs' contour.",
        "Maps of the predicted class, by the fold that held the image out; green: the lungs with "
        "their margin, inside of which relevance is counted.",
    )  # fmt: skip
    return PageSection("Where the evidence is", sentences, [picture], _shown(relevance.table))


def _source_section(sources: SourceTests) -> PageSection:
    sentences = [
        f"By the run's features a head predicts the source with a balanced accuracy of "
        f"{sources.told}; by the true class alone it is {sources.by_class:.2f}. Source and class "
        f"go together by Cramer's V of {sources.association:.2f}, where 1 means that one gives "
        "the other away.",
        "Inside: the run's balanced accuracy within a source. Left out and seen: the accuracy of "
        "heads on its features, learned without that source and with all.",
    ]
    return PageSection("Sources", sentences, (), _shown(sources.table))


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.2f}"
        return str(value)

    return table.rename(columns=_TITLES).map(cell)


_TITLES = {
    "balanced_accuracy": "balanced accuracy", "left_out": "left out", "random_net": "random net",
    "inside_low": "from", "inside_high": "to",
}  # fmt: skip
