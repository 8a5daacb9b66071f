"""The audit of a run: every measure, from its held-out images to the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import MissingError, SettingError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import require_single_labels
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.saliency.explain_members import check_classifiers, check_held_out
from kagglecxr.shortcuts.audit_options import AuditOptions
from kagglecxr.shortcuts.audited_images import audited_images, columns_of_persons
from kagglecxr.shortcuts.background_gap import BackgroundGap, measure_background_gap
from kagglecxr.shortcuts.heads import comparable_rows
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels
from kagglecxr.shortcuts.region_matrix import RegionMatrix, measure_regions
from kagglecxr.shortcuts.relevance import RelevanceShares, measure_relevance
from kagglecxr.shortcuts.sources import SourceTests, measure_sources, recall_by
from kagglecxr.shortcuts.verdict import Verdict, judge


@dataclass(frozen=True)
class Audit:
    """What was measured of a run.

    Attributes:
        targets: names of the classes.
        audited: the images that the verdict is of.
        subgroups: see `recall_by`.
    """

    member: Member
    targets: list[str]
    audited: AuditedImages
    regions: RegionMatrix
    gap: BackgroundGap | None
    sources: SourceTests | None
    relevance: RelevanceShares | None
    subgroups: pd.DataFrame
    verdict: Verdict


def member_to_audit(runs: Sequence[Path], prepared: PreparedData) -> Member:
    """Returns the run of a choice that is a single one.

    Raises:
        SettingError: there are several, as of an ensemble, or the run learned masks or findings, or
            has seen all training images.
        DataError: it was trained for other targets or images.
    """
    check_classifiers(runs)
    require_single_labels(runs, "audit")
    if len(runs) > 1:
        raise SettingError(
            f"An audit is of one run. Received: {shorten([run.name for run in runs])}. Audit each "
            "of them."
        )
    members = members_for_data(runs, prepared)
    check_held_out(members)
    return members[0]


def audit_run(
    prepared: PreparedData,
    workspace: Workspace,
    member: Member,
    options: AuditOptions,
    seed: int,
    reporter: Reporter,
) -> Audit:
    """Measures what a run reads, on images that it held out.

    Args:
        prepared: the competition's data.
        workspace: its masks and cache are used.
        member: the run.
        options: how much is looked at.
        seed: of all draws.
        reporter: shows the progress.

    Raises:
        MissingError: there are no two classes of several patients with known lungs in a fold.
    """
    audited = audited_images(
        prepared, workspace, member, options.images, generator(seed, "audit", "images"), reporter
    )
    rows = comparable_rows(audited, seed)
    if not len(rows):
        raise MissingError(
            f"An audit needs two classes with two patients each, and their lungs, in a fold. "
            f"Received: {audited.have_lungs.sum()} images with lungs of {len(audited.ids)}. Look "
            f"at the masks, predict them by {workspace.command('segment')}, or prepare fewer folds."
        )
    models, compared = HeldOutModels(member), audited.take(rows)
    lost = set(audited.classes.tolist()) - set(compared.classes.tolist())
    if lost:
        names = shorten([member.record.targets[one] for one in sorted(lost)])
        reporter.note(
            f"The verdict is not of {names}: it needs two patients of a class in a fold, and lungs."
        )
    outputs = models.predict(audited.images, audited.folds)
    regions = measure_regions(compared, models, outputs.take(rows), seed, reporter)
    gap = measure_background_gap(compared, models, generator(seed, "audit", "swaps"), reporter)
    predicted = outputs.probabilities.argmax(axis=1)
    relevance = measure_relevance(
        compared, member, predicted[rows], options.explained, seed, reporter
    )
    random = generator(seed, "audit", "intervals")
    columns = {"source": audited.sources, **columns_of_persons(prepared, audited.ids.tolist())}
    return Audit(
        member,
        member.record.targets,
        compared,
        regions,
        gap,
        measure_sources(audited, outputs, seed, random),
        relevance,
        recall_by(columns, audited.classes, outputs.probabilities, member.record.targets),
        judge(regions, gap, random),
    )
