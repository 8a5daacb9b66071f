"""The verb `ensemble`: blends runs and writes a submission."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions, run_verb
from kagglecxr.ensembling.ensemble_options import EnsembleOptions


def ensemble(
    competition: str,
    *runs: str,
    soup: Annotated[bool, Parameter(negative="")] = False,
    options: EnsembleOptions = EnsembleOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Blends runs, predicts the test set with test-time augmentation and writes a submission.

    Example: python -m kagglecxr.ensemble demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        runs: Names of finished runs or of ensembles; defaults to all finished runs on the same data
            and folds.
        soup: Average weights instead (greedy soup), of the runs that do not lower the out-of-fold
            score, into one network that is kept as a run. Of a single run, average its folds.
        options: How the runs are combined.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.core.seeding import generator
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.data.shift.adversarial_validation import describe_shift
    from kagglecxr.ensembling.blend import blend_runs
    from kagglecxr.ensembling.run_selection import choose_runs, runs_to_blend
    from kagglecxr.training.soups.soup import make_soup

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    if soup:
        source_runs = choose_runs(prepared, workspace, runs)
        chosen = [make_soup(prepared, workspace, source_runs, common.terminal)]
    else:
        chosen = runs_to_blend(prepared, workspace, runs, common.terminal)
    blend = blend_runs(
        prepared, workspace, chosen, Path("submissions"), common.terminal, options, common.seed
    )
    shift = describe_shift(prepared, generator(common.seed, "shift"))
    sys.stdout.write("".join(f"{line}\n" for line in (*blend.lines, shift) if line))
    common.finish(str(blend), workspace.command("submit", blend.submission))


if __name__ == "__main__":
    run_verb(ensemble)
