"""The verb `explore`: figures and tables of the data."""

from kagglecxr.core.cli import CommonOptions, run_verb


def explore(
    competition: str,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Writes figures and tables of the data, and a page that explains what to look for.

    Example: python -m kagglecxr.explore demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.reports.eda.eda_report import explore_data

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    prepared = load_prepared(described, workspace)
    explored = explore_data(prepared, workspace, common.terminal, seed=common.seed)
    common.finish(explored.summary, workspace.command("train"))


if __name__ == "__main__":
    run_verb(explore)
