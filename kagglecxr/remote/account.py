"""Whose the credentials are."""

from typing import Any

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience, ask
from kagglecxr.remote.failures import SETTINGS_PAGE, Errand

_ERRAND = Errand(
    what="the name of the credentials' user",
    if_refused=f"Make new credentials at {SETTINGS_PAGE}.",
    if_unknown=f"Make new credentials at {SETTINGS_PAGE}.",
    instead="Without an account nothing can be brought to Kaggle.",
)


def username(reporter: Reporter, patience: Patience = Patience()) -> str:
    """The name that the credentials belong to, as it stands before the slash of what they own.

    The client knows it once it is signed in: of a key it stands beside it, of a token it is asked.

    Args:
        reporter: told of waiting.
        patience: for how long too many requests are waited out.

    Raises:
        MissingError: there are no credentials, or they are without a name.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
    """
    name = ask(_ERRAND, _name, reporter, patience=patience)
    if not name:
        raise MissingError(
            f"The Kaggle credentials are without a name. Received: {name!r}. Make new ones at "
            f"{SETTINGS_PAGE}, or set KAGGLE_USERNAME beside KAGGLE_KEY."
        )
    return name


def _name(api: Any) -> str:
    return str(api.config_values.get(api.CONFIG_NAME_USER) or "")
