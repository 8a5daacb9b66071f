"""The verb `explain`: which pixels a model's answers come from."""

import shlex

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.saliency.explain_options import ExplainOptions


def explain(
    competition: str,
    *runs: str,
    options: ExplainOptions = ExplainOptions(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Draws which pixels speak for a class, and what the network has learned to look for.

    Example: python -m kagglecxr.explain demo --methods gradcam lrp_epsilon

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        runs: Names of finished runs or of ensembles, whose maps are averaged; defaults to the run
            with the best out-of-fold score.
        options: What is explained, and by which methods.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.run_selection import choose_runs, export_name
    from kagglecxr.inference.members import members_for_data
    from kagglecxr.reports.saliency_report import report_saliency
    from kagglecxr.reports.tf_explain_report import TF_EXPLAIN, report_tf_explain
    from kagglecxr.saliency.explain_members import check_classifiers
    from kagglecxr.saliency.methods import chosen_methods

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    methods = chosen_methods(options.methods)
    prepared = load_prepared(described, workspace)
    chosen = choose_runs(prepared, workspace, runs)
    check_classifiers(chosen)
    members = members_for_data(chosen, prepared)
    folder = workspace.explanations / export_name(described.name, runs, chosen, None)
    if options.style == TF_EXPLAIN:
        report = report_tf_explain(prepared, members, folder, options, common.terminal)
    else:
        report = report_saliency(
            prepared, members, methods, folder, options, common.terminal, common.seed
        )
    common.finish(report.describe(), shlex.join(["open", str(report.pictures[0])]))


if __name__ == "__main__":
    run_verb(explain)
