"""The audit of a run: every measure, from its held-out images to the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import MissingError, SettingError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.saliency.explain_members import check_classifiers, check_held_out
from kagglecxr.shortcuts.audit_options import AuditOptions
from kagglecxr.shortcuts.audited_images import audited_images, columns_of_persons
from kagglecxr.shortcuts.background_gap import BackgroundGap, measure_background_gap
from kagglecxr.shortcuts.finding_sentence import finding_sentence
from kagglecxr.shortcuts.heads import FEWEST, comparable_cells
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels
from kagglecxr.shortcuts.problems import Cells, are_findings, images_of_targets
from kagglecxr.shortcuts.region_matrix import RegionMatrix, measure_regions
from kagglecxr.shortcuts.relevance import RelevanceShares, measure_relevance
from kagglecxr.shortcuts.sources import SourceTests, measure_sources, scores_by
from kagglecxr.shortcuts.verdict import Verdict, judge


@dataclass(frozen=True)
class Audit:
    """What was measured of a run.

    Attributes:
        targets: names of the classes, or findings.
        images: (targets,) how many of the images that were looked at are of each.
        audited: the images that the verdict is of.
        subgroups: see `scores_by`.
    """

    member: Member
    targets: list[str]
    images: list[int]
    audited: AuditedImages
    regions: RegionMatrix
    gap: BackgroundGap | None
    sources: SourceTests | None
    relevance: RelevanceShares | None
    subgroups: pd.DataFrame
    verdict: Verdict

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        name = self.member.record.name
        if self.verdict.of_findings:
            return finding_sentence(self.verdict, name, self.targets)
        return self.verdict.sentence(name)


def member_to_audit(runs: Sequence[Path], prepared: PreparedData) -> Member:
    """Returns the run of a choice that is a single one.

    Raises:
        SettingError: there are several, as of an ensemble, or the run learned masks, or has
            seen all training images.
        DataError: it was trained for other targets or images.
    """
    check_classifiers(runs)
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
        MissingError: there are no two classes of several patients with known lungs in a fold, or no
            finding that some of them have and some have not.
    """
    audited = audited_images(
        prepared, workspace, member, options.images, generator(seed, "audit", "images"), reporter
    )
    targets = member.record.targets
    cells = comparable_cells(audited, seed)
    if not cells.any():
        raise _nothing_to_compare(audited, targets, workspace)
    models, compared = HeldOutModels(member), audited.comparable(cells)
    rows = np.flatnonzero(cells.any(axis=1))
    lost = _lost(audited, cells)
    if lost:
        needs = (
            f"{FEWEST} patients with it and {FEWEST} without, two of either in a fold,"
            if are_findings(audited.classes)
            else "two patients of a class in a fold,"
        )
        names = shorten([targets[one] for one in lost])
        reporter.note(f"The verdict is not of {names}: it needs {needs} and lungs.")
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
        targets,
        images_of_targets(audited.classes, len(targets)),
        compared,
        regions,
        gap,
        measure_sources(audited, outputs, seed, random),
        relevance,
        scores_by(columns, audited.classes, outputs.probabilities, targets),
        judge(regions, gap, random),
    )


def _lost(audited: AuditedImages, cells: Cells) -> list[int]:
    """The classes, or findings, of which no image can be compared."""
    if are_findings(audited.classes):
        return list(np.flatnonzero(~cells.any(axis=0)))
    compared = audited.classes[cells[:, 0]]
    return list(np.setdiff1d(audited.classes, compared))


def _nothing_to_compare(
    audited: AuditedImages, targets: Sequence[str], workspace: Workspace
) -> MissingError:
    received = f"{audited.have_lungs.sum()} images with lungs of {len(audited.ids)}"
    needs = "two classes with two patients each, and their lungs, in a fold"
    if are_findings(audited.classes):
        needs = (
            f"a finding that {FEWEST} patients have and {FEWEST} have not, two of either in a "
            "fold, and their lungs"
        )
        counts = images_of_targets(audited.classes[audited.have_lungs], len(targets))
        each = [f"{name} {count}" for name, count in zip(targets, counts, strict=True)]
        received += f"; {shorten(each)}"
    return MissingError(
        f"An audit needs {needs}. Received: {received}. Look at the masks, predict them by "
        f"{workspace.command('segment')}, audit more images with --images, or prepare fewer folds."
    )
