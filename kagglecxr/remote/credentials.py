"""Finds where the Kaggle client's credentials are, without reading them."""

import os
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.environment import Check


@dataclass(frozen=True)
class CredentialSource:
    """A place with credentials.

    Attributes:
        name: a file, or variables of the environment.
        is_token: it holds an access token, which the client prefers to any key.
    """

    name: str
    is_token: bool


def credential_sources() -> list[CredentialSource]:
    """Lists where credentials are on this machine, in the order in which the client takes them."""
    home = Path.home() / ".kaggle"
    token_files = home / "access_token", home / "access_token.txt"
    key_files = _config_folder(home) / "kaggle.json", home / "credentials.json"
    sources = []
    if os.environ.get("KAGGLE_API_TOKEN"):
        sources.append(CredentialSource("KAGGLE_API_TOKEN", True))
    sources += [CredentialSource(str(path), True) for path in token_files if path.is_file()]
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        sources.append(CredentialSource("KAGGLE_USERNAME with KAGGLE_KEY", False))
    sources += [CredentialSource(str(path), False) for path in key_files if path.is_file()]
    return sources


def check_credentials() -> Check:
    """Checks that there are Kaggle credentials, without reading them."""
    found = [source.name for source in credential_sources()]
    if not found:
        return Check(
            "Kaggle account",
            "no credentials",
            "Only needed to download and submit: create a token on your Kaggle settings page and "
            "save it as ~/.kaggle/access_token.",
            is_ok=False,
        )
    advice = f"{found[0]} is used; if it is outdated, remove it." if len(found) > 1 else ""
    return Check("Kaggle account", ", ".join(found), advice)


def _config_folder(home: Path) -> Path:
    """The folder of kaggle.json, the only file that KAGGLE_CONFIG_DIR moves."""
    if named := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(named)
    if home.is_dir():
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
