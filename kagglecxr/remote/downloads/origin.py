"""What can be downloaded, and by which calls of the client: a competition's data, or a dataset."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kagglecxr.core.errors import SettingError
from kagglecxr.remote.errands import PAGE, competition_errand
from kagglecxr.remote.failures import Errand

Kind = Literal["competition", "dataset"]


@dataclass(frozen=True)
class Origin:
    """Data on Kaggle.

    Attributes:
        kind: whose data they are.
        slug: a competition's, or a dataset's `owner/name`, with or without `/version`.
        name: what a user calls the competition on the command line.
    """

    kind: Kind
    slug: str
    name: str

    @classmethod
    def of(cls, kind: str, slug: str, name: str) -> "Origin":
        """The origin that a competition's `[source]` describes.

        Raises:
            SettingError: there is nothing to download, or it is not said what.
        """
        if kind == "demo":
            raise SettingError(
                f"There is nothing to download: the demo draws its own images. Received: {name}. "
                f"Run: python -m kagglecxr.prepare {name}"
            )
        if kind == "folder":
            raise SettingError(
                "There is nothing to download: Kaggle does not serve these data, they are a folder "
                f"of this machine. Received: {name}. Run: python -m kagglecxr.prepare {name} "
                "--data FOLDER"
            )
        parts = slug.split("/")
        fits = len(parts) == 1 if kind == "competition" else len(parts) in (2, 3)
        if not all(parts) or not fits:
            form = "the last part of its page's address" if kind == "competition" else "owner/name"
            raise SettingError(
                f"The slug of a {kind} is {form}. Received: {slug!r} in [source] of {name}. "
                "Mend slug in the competition's TOML file."
            )
        return cls("competition" if kind == "competition" else "dataset", slug, name)

    def __str__(self) -> str:
        return self.slug

    def errand(self, what: str = "the data") -> Errand:
        """What a user can do when it is not given.

        Args:
            what: is asked for.
        """
        instead = (
            "Or download it in a browser and name its folder: python -m kagglecxr.prepare "
            f"{self.name} --data FOLDER"
        )
        page = self._page
        if self.kind == "competition":
            return dataclasses.replace(competition_errand(self.slug, what), instead=instead)
        return Errand(
            what=f"{what} of {self.slug}",
            if_refused=f"Open {page}, signed in as the credentials' user: it is private, asks for "
            "consent, or has another address.",
            if_unknown=f"Check the slug against the address of the dataset's page: {page}",
            instead=instead,
        )

    @property
    def _page(self) -> str:
        if self.kind == "competition":
            return f"{PAGE}/competitions/{self.slug}"
        return f"{PAGE}/datasets/{'/'.join(self.slug.split('/')[:2])}"

    def errand_for_file(self, file: str) -> Errand:
        """What a user can do when one file is not given."""
        advice = f"Check the file's path, letter by letter, on {self._page}/data"
        return dataclasses.replace(self.errand(file), if_unknown=advice)

    def page_of_files(self, api: Any, token: str | None, size: int) -> Any:
        """The client's answer to one page of the list of files."""
        if self.kind == "competition":
            return api.competition_list_files(self.slug, page_token=token, page_size=size)
        return api.dataset_list_files(self.slug, page_token=token, page_size=size)

    def fetch_all(self, api: Any, folder: Path) -> None:
        """Has the client write one archive of all files into a folder."""
        if self.kind == "competition":
            api.competition_download_files(self.slug, path=str(folder), quiet=True)
        else:
            api.dataset_download_files(self.slug, path=str(folder), quiet=True)

    def fetch_one(self, api: Any, file: str, folder: Path) -> None:
        """Has the client write one file, or an archive of it, somewhere below a folder."""
        if self.kind == "competition":
            api.competition_download_file(self.slug, file, path=str(folder), quiet=True)
        else:
            api.dataset_download_file(self.slug, file, path=str(folder), quiet=True)
