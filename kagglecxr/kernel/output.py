"""`kernel output`: what kernels left, brought home."""

from pathlib import Path

from kagglecxr.core.verb import Common
from kagglecxr.kernel.push import TRAIN


def output(
    competition: str,
    folder: Path = TRAIN,
    *,
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Fetches what a kernel left, or those of its folds; runs become runs here, recipes recipes.

    Example: python -m kagglecxr.kernel output umons-covid19 kernels/train

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        folder: The kernel's.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import start_keras

    start_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.kernel.homecoming import bring_home
    from kagglecxr.remote.kernels.folds import kernels_of

    described = load_competition(competition)
    workspace = common.workspace(described.name)
    home = bring_home(described, workspace, kernels_of(folder), common.terminal)
    for line in home.told:
        common.terminal.note(line)
    common.end(
        f"Fetched {len(home.files)} files: {home.folder}.",
        home.following or f"python -m kagglecxr.ensemble {competition} {' '.join(home.finished)}",
    )
