"""The sections of an audit's page."""

import numpy as np
import pandas as pd

from kagglecxr.reports.audit_figures import (
    gap_heatmap,
    part_examples,
    region_heatmap,
    relevance_examples,
    swap_examples,
)
from kagglecxr.reports.audit_findings import finding_section
from kagglecxr.reports.page import PageFigure, PageSection
from kagglecxr.shortcuts.audit_run import Audit
from kagglecxr.shortcuts.background_gap import BackgroundGap
from kagglecxr.shortcuts.problems import are_findings, score_title
from kagglecxr.shortcuts.region_matrix import AS_TRAINED
from kagglecxr.shortcuts.regions import BACKGROUND, SHAPE, WHOLE
from kagglecxr.shortcuts.relevance import RelevanceShares
from kagglecxr.shortcuts.sources import SourceTests

LIMITS = (
    "What the audit cannot see: a cue inside of the lungs alone, as a tube or the grain of a "
    "detector there; and a disease that shows outside of them, as a large heart, counts as "
    "background here. The lungs reach 4 % of the image's side beyond their mask.",
    "Out-of-fold scores, and all of these, are of images from the hospitals that the run learned "
    "from. Only images of another hospital tell what it is worth there.",
)


def audit_sections(audit: Audit, tables: dict[str, pd.DataFrame]) -> list[PageSection]:
    """Returns the sections, with the tables of `report_audit`."""
    sections = [finding_section(audit)] if audit.verdict.of_findings else []
    sections.append(_region_section(audit, tables["regions"]))
    if audit.gap is not None:
        sections.append(_gap_section(audit, audit.gap))
    if audit.relevance is not None:
        sections.append(_relevance_section(audit, audit.relevance))
    if audit.sources is not None:
        of_findings = are_findings(audit.audited.classes)
        sections.append(_source_section(audit.sources, audit.targets, of_findings))
    if len(audit.subgroups):
        score = "AUC" if are_findings(audit.audited.classes) else "Recall"
        words = f"{score} in parts of the images of at least 20, out of fold, from a single view."
        title = f"{score} by source, view, age and sex"
        sections.append(PageSection(title, [words], (), _shown(audit.subgroups)))
    sections.append(PageSection("What this cannot tell", LIMITS))
    return sections


def _region_section(audit: Audit, table: pd.DataFrame) -> PageSection:
    title = score_title(audit.regions.classes)
    of_findings = are_findings(audit.regions.classes)
    score = table.columns[2]
    is_run = (table["trained"] == AS_TRAINED) & (table["shown"] == WHOLE)
    own = table[is_run | (table["trained"] == table["shown"])]
    own = own.assign(trained=own["trained"].where(own["trained"] == AS_TRAINED, "a head"))
    of_head = own[own["trained"] == "a head"].set_index("shown")[score]
    by_shape, by_background = of_head[SHAPE], of_head[BACKGROUND]
    numbers = "mean AUCs" if of_findings else "balanced accuracies"
    by_target = "AUC of each finding" if of_findings else "recall of each class"
    sentences = [
        "A head was trained on what the run's network makes of each part of the image, and shown "
        f"each part of images it had not seen. Numbers are {numbers}; the first row of "
        "the picture, and of the table, is the run as it is. Lettering that lies on the lungs "
        "stays in each part.",
        f"The background alone has {by_background:.2f}, and the mere shape of the cut-out lungs "
        f"{by_shape:.2f}, where {audit.verdict.chance:.2f} is chance. The table has the "
        f"{by_target}, by heads that were trained on what they are shown.",
    ]
    kinds = "with each finding" if of_findings else "of each class"
    title = title[0].upper() + title[1:]
    pictures = [
        PageFigure(
            "regions", region_heatmap(audit.regions, audit.verdict.chance),
            f"{title} by the part that a head was trained on and the part it was shown.",
            f"{title}: trained on (rows), shown (columns).",
        ),
        PageFigure(
            "parts", part_examples(audit.audited, audit.targets),
            f"One image {kinds} and its parts.", f"What is left of an image {kinds}.",
        ),
    ]  # fmt: skip
    return PageSection("Parts of the image", sentences, pictures, _shown(own))


def _gap_section(audit: Audit, gap: BackgroundGap) -> PageSection:
    figure, title = swap_examples(audit.audited, audit.targets), "Lungs in other backgrounds"
    if are_findings(audit.audited.classes):
        sentences = [
            f"For each finding, the lungs of as many images with it as without, {gap.images:,} in "
            f"all, were put into other images, {gap.rounds} with it and {gap.rounds} without. "
            "Where backgrounds are of the lungs' own label the mean AUC is "
            f"{gap.same:.2f}, where they are of the other label {gap.other:.2f}: a difference of "
            f"{gap.accuracy}. A finding's probability rises by {gap.certainty} with the background "
            "of an image that has it. A run that reads the lungs alone has 0."
        ]
        swapped = PageFigure(
            "swapped", figure, "Lungs of images with a finding in backgrounds with it and without.",
            "Images with a finding, and their lungs in a background with it and in one without.",
        )  # fmt: skip
        return PageSection(title, sentences, [swapped])
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
            "swapped", figure, "Lungs of one class in backgrounds of another.",
            "Lungs (rows) in backgrounds (columns), all composed of two images.",
        ),
    ]  # fmt: skip
    return PageSection(title, sentences, pictures)


def _relevance_section(audit: Audit, relevance: RelevanceShares) -> PageSection:
    of_findings = are_findings(audit.audited.classes)
    sentences = [
        "The share of each map's positive part that is in the lungs, beside the share of the "
        "image that the lungs have (what a map without any preference has) and the share by a "
        "network with random weights: a map is evidence only as far as it differs from both.",
        "Pointing: the share of maps whose highest pixel is in the lungs. Deletion and insertion: "
        f"the mean probability of the {'finding' if of_findings else 'class'} while pixels are "
        "taken away or given back, the most relevant first; a good map has a lower deletion and a "
        "higher insertion than the random order in the last line.",
    ]
    explained = "the predicted class"
    if of_findings:
        explained = "a finding that the image has"
        sentences.append(
            "Maps are of findings that are there. For some of them the lungs are not the place: "
            "a large heart, a device and much of an effusion lie outside of the mask, and a low "
            "share is then right."
        )
    picture = PageFigure(
        "relevance", relevance_examples(audit.audited, relevance, audit.targets),
        "Images with saliency maps and the lungs' contour.",
        f"Maps of {explained}, by the fold that held the image out; green: the lungs with "
        "their margin, inside of which relevance is counted.",
    )  # fmt: skip
    return PageSection("Where the evidence is", sentences, [picture], _shown(relevance.table))


def _source_section(sources: SourceTests, targets: list[str], of_findings: bool) -> PageSection:
    known = "the true findings" if of_findings else "the true class"
    both, score = "Source and class go together", ("balanced accuracy", "accuracy")
    if of_findings:
        most = targets[int(np.nanargmax(sources.associations))]
        both, score = f"Source and {most}, most of all findings, go together", ("mean AUC",) * 2
    sentences = [
        f"By the run's features a head predicts the source with a balanced accuracy of "
        f"{sources.told}; by {known} alone it is {sources.by_class:.2f}. {both} by Cramer's V of "
        f"{sources.association:.2f}, where 1 means that one gives the other away.",
        f"Inside: the run's {score[0]} within a source. Left out and seen: the {score[1]} of "
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
    "balanced_accuracy": "balanced accuracy", "mean_auc": "mean AUC", "left_out": "left out",
    "random_net": "random net", "inside_low": "from", "inside_high": "to",
}  # fmt: skip
