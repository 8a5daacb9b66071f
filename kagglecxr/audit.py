"""The verb `audit`: does a run read the lungs, or what else is in the picture?"""

import shlex

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.shortcuts.audit_options import AuditOptions


def audit(
    competition: str,
    run: str | None = None,
    *,
    options: AuditOptions = AuditOptions(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Tells whether a run reads the lungs, or the background, the border, the hospital.

    Example: python -m kagglecxr.audit demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        run: The name of a finished run; defaults to the one with the best out-of-fold score.
        options: How much is looked at.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.run_selection import choose_runs
    from kagglecxr.reports.audit_report import check_folder, report_audit
    from kagglecxr.reports.run_page import write_run_page
    from kagglecxr.shortcuts.audit_run import audit_run, member_to_audit

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    chosen = choose_runs(prepared, workspace, [run] if run else [])
    member = member_to_audit(chosen, prepared)
    folder = check_folder(workspace.audits / member.record.name)
    found = audit_run(prepared, workspace, member, options, common.seed, common.terminal)
    page = report_audit(found, folder, common.terminal)
    write_run_page(described, workspace, member.run, common.seed, common.terminal)
    common.finish(
        f"{found.sentence} The page: {page}.",
        shlex.join(["open", str(page)]),
    )


if __name__ == "__main__":
    run_verb(audit)
