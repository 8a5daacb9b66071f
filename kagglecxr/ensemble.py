"""The verb `ensemble`: blends runs and writes a submission."""

from pathlib import Path

from kagglecxr.core.verb import Common, play


def ensemble(
    competition: str,
    *runs: str,
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Blends runs, predicts the test part from several views, writes a submission.

    Example: python -m kagglecxr.ensemble demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        runs: Names of finished runs; the one with the best out-of-fold score unless told.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import start_keras

    start_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.preparation import load_prepared
    from kagglecxr.inference.ensemble import blend_runs, choose_runs

    described = load_competition(competition)
    workspace = common.workspace(described.name)
    prepared = load_prepared(described, workspace)
    chosen = choose_runs(prepared, workspace, runs)
    blend = blend_runs(prepared, workspace, chosen, Path("submissions"), common.terminal)
    metric = prepared.competition.metric.name
    common.end(
        f"Blended {', '.join(blend.runs)} (out-of-fold {metric} {blend.score:.4f}): "
        f"{blend.submission}.",
        f"python -m kagglecxr.submit {competition} {blend.submission}",
    )


if __name__ == "__main__":
    play(ensemble)
