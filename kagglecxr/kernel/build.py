"""`kernel build`: from a competition and its runs to kernels that can be pushed."""

from kagglecxr.core.verb import Common
from kagglecxr.kernel.wish import Wish


def build(
    competition: str,
    *runs: str,
    wish: Wish = Wish(),
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Brings wheels and runs to Kaggle as datasets; writes the kernels train, tune and submit.

    Example: python -m kagglecxr.kernel build umons-covid19

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        runs: Names of finished runs that `submit` predicts with; the one with the best out-of-fold
            score unless told, none where none is trained.
        wish: What is built.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import start_keras

    start_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.kernel.planning import chosen_runs, plan_kernels
    from kagglecxr.remote.account import username
    from kagglecxr.remote.datasets.publishing import publish
    from kagglecxr.remote.kernels.building import build_kernels
    from kagglecxr.remote.packing import pack_runs, pack_wheels

    described = load_competition(competition)
    workspace, terminal = common.workspace(described.name), common.terminal
    owner = wish.owner or username(terminal)
    chosen = chosen_runs(described, workspace, runs)
    luggage = [pack_wheels(owner, workspace.luggage / "wheels")]
    if chosen:
        folder = workspace.luggage / "runs"
        luggage.append(pack_runs(owner, described.name, chosen, folder))
    settings = plan_kernels(
        described, competition, workspace, owner, [one.ref for one in luggage], chosen, wish
    )
    kernels = build_kernels(wish.to, settings)
    for one in luggage:
        if not wish.dry_run:
            publish(one.folder, terminal, public=wish.public)
        terminal.note(f"{'Packed' if wish.dry_run else 'On Kaggle'}: {one.ref}, {one.folder}")
    common.end(
        f"Wrote the kernels {', '.join(map(str, kernels))}.",
        f"python -m kagglecxr.kernel push {kernels[0]}",
    )
