"""What can be downloaded: a competition's data or a dataset, and its list of files."""

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import TIMEOUT, RetryPolicy, call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, RequestContext, competition_context

SourceKind = Literal["competition", "dataset"]


@dataclass(frozen=True)
class KaggleSource:
    """Data on Kaggle.

    Attributes:
        kind: whose data they are.
        slug: a competition's, or a dataset's `owner/name`, with or without `/version`.
        name: what a user calls the competition on the command line.
    """

    kind: SourceKind
    slug: str
    name: str

    @classmethod
    def of(cls, kind: str, slug: str, name: str) -> "KaggleSource":
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

    def errand(self, what: str = "the data") -> RequestContext:
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
            return dataclasses.replace(competition_context(self.slug, what), instead=instead)
        return RequestContext(
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

    def errand_for_file(self, file: str) -> RequestContext:
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


Result = TypeVar("Result")


@dataclass(frozen=True)
class DownloadContext:
    """What all steps of a download share.

    Attributes:
        reporter: shown the bytes, and told of pauses.
        timeout: seconds of silence after which a connection is given up.
        patience: with too many requests.
    """

    reporter: Reporter
    timeout: float = TIMEOUT
    patience: RetryPolicy = RetryPolicy()

    def ask(self, errand: RequestContext, call: Callable[[Any], Result]) -> Result:
        """What a call of the client gives; see `remote.asking`."""
        return call_with_retry(
            errand, call, self.reporter, timeout=self.timeout, patience=self.patience
        )


PAGE_SIZE = 200
"""Files a page: the most that Kaggle gives."""
_MAX_EMPTY_PAGES = 3


def list_files(
    origin: KaggleSource, manner: DownloadContext, wanted: Collection[str] = ()
) -> dict[str, int]:
    """The bytes of each file by its name; 0 where Kaggle does not tell them.

    Kaggle's lists are known to leave files out: a file that is not in one may be there.

    Args:
        origin: whose files.
        manner: how Kaggle is asked.
        wanted: stops where all of these are found; all pages are asked for where empty.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, or its list has no end.
    """
    sizes: dict[str, int] = {}
    tokens: list[str | None] = [None]

    def go_on(api: Any) -> None:
        # Asked anew after too many requests, it goes on with the page that was refused.
        empty = 0
        while True:
            page = origin.page_of_files(api, tokens[-1], PAGE_SIZE)
            if told := getattr(page, "error_message", None):
                raise ValueError(told)
            # The field is called after the kind.
            files = page.files if origin.kind == "competition" else page.dataset_files
            sizes.update((file.name, int(file.total_bytes or 0)) for file in files)
            empty = 0 if files else empty + 1
            following = page.next_page_token
            if not following or empty == _MAX_EMPTY_PAGES or (wanted and sizes.keys() >= {*wanted}):
                return
            if following in tokens:
                raise KaggleError(
                    "Kaggle's list of files goes round in a circle. Received: one page twice for "
                    f"{origin}, after {len(sizes)} files. Run the same command again in some "
                    "minutes."
                )
            tokens.append(following)

    manner.ask(origin.errand("the list of files"), go_on)
    return sizes
