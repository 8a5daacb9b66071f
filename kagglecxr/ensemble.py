"""The verb `ensemble`: blends runs and writes a submission."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb


def ensemble(
    competition: str,
    *runs: str,
    soup: Annotated[bool, Parameter(negative="")] = False,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Blends runs, predicts the test set with test-time augmentation and writes a submission.

    Example: python -m kagglecxr.ensemble demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        runs: Names of finished runs or of ensembles; defaults to the run with the best out-of-fold
            score.
        soup: Average weights instead (greedy soup), of the runs that do not lower the out-of-fold
            score, into one network that is kept as a run. Of a single run, average its folds.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.blend import blend_runs
    from kagglecxr.ensembling.run_selection import choose_runs
    from kagglecxr.training.soups.soup import make_soup

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    chosen = choose_runs(prepared, workspace, runs)
    if soup:
        chosen = [make_soup(prepared, workspace, chosen, common.terminal)]
    blend = blend_runs(prepared, workspace, chosen, Path("submissions"), common.terminal)
    score = (
        "no out-of-fold score, since it has seen all training images"
        if blend.score is None
        else f"out-of-fold {prepared.competition.metric.name} {blend.score:.4f}"
    )
    common.finish(
        f"Blended {', '.join(blend.runs)} ({score}): {blend.submission}.",
        workspace.command("submit", blend.submission),
    )


if __name__ == "__main__":
    run_verb(ensemble)
