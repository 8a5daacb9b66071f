"""What can be downloaded: a competition's data or a dataset, and its list of files."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, RequestContext, competition_context

SourceKind = Literal["competition", "dataset"]
PAGE_SIZE = 200
"""Files a page of the list: the most that Kaggle sends."""
_MAX_EMPTY_PAGES = 3


@dataclass(frozen=True)
class KaggleSource:
    """Data on Kaggle.

    Attributes:
        kind: whether they are a competition's data or a dataset.
        slug: a competition's slug, or a dataset's `owner/name`, with or without `/version`.
        name: the competition as the user names it on the command line.
    """

    kind: SourceKind
    slug: str
    name: str

    @classmethod
    def of(cls, kind: str, slug: str, name: str) -> "KaggleSource":
        """The source that a `[source]` describes; refuses what cannot be downloaded."""
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
                "Correct slug in the competition's TOML file."
            )
        return cls("competition" if kind == "competition" else "dataset", slug, name)

    def __str__(self) -> str:
        return self.slug

    @property
    def _page(self) -> str:
        if self.kind == "competition":
            return f"{PAGE}/competitions/{self.slug}"
        return f"{PAGE}/datasets/{'/'.join(self.slug.split('/')[:2])}"

    def context(self, what: str = "the data") -> RequestContext:
        """What the user can do where Kaggle does not give `what`."""
        instead = (
            "Or download it in a browser and name its folder: python -m kagglecxr.prepare "
            f"{self.name} --data FOLDER"
        )
        if self.kind == "competition":
            return dataclasses.replace(competition_context(self.slug, what), instead=instead)
        return RequestContext(
            what=f"{what} of {self.slug}",
            if_refused=f"Open {self._page}, signed in as the credentials' user: it is private, "
            "asks for consent, or has another address.",
            if_unknown=f"Check the slug against the address of the dataset's page: {self._page}",
            instead=instead,
        )

    def file_context(self, file: str) -> RequestContext:
        """What the user can do where Kaggle does not give one file."""
        advice = f"Check the file's path, letter by letter, on {self._page}/data"
        return dataclasses.replace(self.context(file), if_unknown=advice)

    def call(self, api: Any, name: str, *arguments: str, **options: Any) -> Any:
        """Calls the client's method `competition_NAME` or `dataset_NAME` for this source."""
        return getattr(api, f"{self.kind}_{name}")(self.slug, *arguments, **options)


def list_files(
    source: KaggleSource, reporter: Reporter, wanted: Collection[str] = ()
) -> dict[str, int]:
    """Lists the files with their sizes in bytes; a size is 0 where Kaggle does not send it.

    Kaggle's lists are known to leave files out: a file that is not listed may exist. Reading
    stops once all files in `wanted` are found.

    Raises:
        KaggleError: Kaggle refused, or its list has no end.
    """
    sizes: dict[str, int] = {}
    tokens: list[str | None] = [None]

    def read_pages(api: Any) -> None:
        # Called again after too many requests, it goes on with the page that was refused.
        empty = 0
        while True:
            page = source.call(api, "list_files", page_token=tokens[-1], page_size=PAGE_SIZE)
            if message := getattr(page, "error_message", None):
                raise ValueError(message)
            # The field is named after the kind.
            files = page.files if source.kind == "competition" else page.dataset_files
            sizes.update((file.name, int(file.total_bytes or 0)) for file in files)
            empty = 0 if files else empty + 1
            token = page.next_page_token
            if not token or empty == _MAX_EMPTY_PAGES or (wanted and sizes.keys() >= {*wanted}):
                return
            if token in tokens:
                raise KaggleError(
                    "Kaggle's list of files has no end. Received: one page twice for "
                    f"{source}, after {len(sizes)} files. Run the same command again in some "
                    "minutes."
                )
            tokens.append(token)

    call_with_retry(source.context("the list of files"), read_pages, reporter)
    return sizes
