"""Where the Kaggle client finds its credentials; what they are is never read here."""

import os
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.environment import Check


@dataclass(frozen=True)
class CredentialSource:
    """Somewhere that credentials are.

    Attributes:
        name: as a user would look for it.
        is_token: it holds an access token, which goes before any key.
    """

    name: str
    is_token: bool


def credential_sources() -> list[CredentialSource]:
    """Where credentials are on this machine, in the order in which the client takes them."""
    home = Path.home() / ".kaggle"
    places = [
        CredentialSource("KAGGLE_API_TOKEN", True) if os.environ.get("KAGGLE_API_TOKEN") else None,
        *(_file(home / name, True) for name in ("access_token", "access_token.txt")),
        _environment_key(),
        _file(_config_folder(home) / "kaggle.json", False),
        _file(home / "credentials.json", False),
    ]
    return [place for place in places if place is not None]


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


def _environment_key() -> CredentialSource | None:
    is_there = all(os.environ.get(name) for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    return CredentialSource("KAGGLE_USERNAME with KAGGLE_KEY", False) if is_there else None


def _file(path: Path, is_token: bool) -> CredentialSource | None:
    return CredentialSource(str(path), is_token) if path.is_file() else None


def _config_folder(home: Path) -> Path:
    """The folder of kaggle.json, which alone a variable may move."""
    if named := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(named)
    if home.is_dir():
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
