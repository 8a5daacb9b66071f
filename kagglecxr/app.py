"""The verb `app`: a web page that takes X-rays and shows what a model makes of them."""

from kagglecxr.core.cli import CommonOptions, changed_options, option_words, run_verb
from kagglecxr.webapp.app_options import AppOptions, Site


def app(
    competition: str = "demo",
    *,
    options: AppOptions = AppOptions(),  # noqa: B008 frozen
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Serves a web page on this machine: drop X-rays, see probabilities and what they come from.

    Example: python -m kagglecxr.app demo

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder per class, whose
            runs and ensembles the page offers.
        options: Which models the page has, and where it is.
        common: Options of every verb.
    """
    from kagglecxr.data.competition import load_competition
    from kagglecxr.webapp.serve import check_server, serve

    check_server(options)
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.webapp.model_choices import check_models

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    check_models(options.models, workspace)
    site = Site(competition, workspace, options.models, common.seed)
    serve(site, options, common.terminal, quiet=common.quiet)
    again = option_words(changed_options(options))
    common.finish("The page is closed.", workspace.command("app", *again))


if __name__ == "__main__":
    run_verb(app)
