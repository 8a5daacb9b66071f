"""The page of an audit, its tables and its numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.reports.audit_findings import finding_table
from kagglecxr.reports.audit_sections import audit_sections
from kagglecxr.reports.page import draw_page
from kagglecxr.shortcuts.audit_record import AuditRecord
from kagglecxr.shortcuts.audit_run import Audit
from kagglecxr.shortcuts.problems import score_title
from kagglecxr.shortcuts.region_matrix import RegionMatrix

PAGE = "index.html"


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
        "findings": finding_table(audit) if audit.verdict.of_findings else pd.DataFrame(),
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
    page = draw_page(title, record.sentence, lambda: audit_sections(audit, tables), reporter)
    write_text(folder / PAGE, page)
    return folder / PAGE


def record_of(audit: Audit) -> AuditRecord:
    """Returns what an audit found, as it is kept."""
    verdict, gap, sources = audit.verdict, audit.gap, audit.sources
    return AuditRecord(
        verdict.kind,
        audit.sentence,
        len(audit.audited.ids),
        verdict.chance,
        verdict.whole,
        verdict.background,
        None if gap is None else gap.same,
        None if gap is None else gap.other,
        None if gap is None else gap.accuracy,
        None if gap is None else gap.certainty,
        None if sources is None else sources.told,
        {
            name: one.kind
            for name, one in zip(audit.targets, verdict.of_findings, strict=False)
            if one is not None
        },
    )


def region_table(regions: RegionMatrix, targets: list[str]) -> pd.DataFrame:
    """Returns `trained,shown,balanced_accuracy` and the recall of each class.

    Of findings `trained,shown,mean_auc` and the AUC of each.
    """
    lines, title = [], score_title(regions.classes).lower().replace(" ", "_")
    for trained, shown in regions.probabilities:
        recalls = regions.recalls(trained, shown)
        by_class = dict(zip(targets, recalls.tolist(), strict=True))
        mean = float(np.nanmean(recalls))
        lines.append({"trained": trained, "shown": shown, title: mean} | by_class)
    return pd.DataFrame(lines)


def _swap_table(audit: Audit) -> pd.DataFrame:
    if audit.gap is None or audit.verdict.of_findings:
        return pd.DataFrame()
    table = pd.DataFrame(audit.gap.right, columns=audit.targets)
    table.insert(0, "lungs", audit.targets)
    return table
