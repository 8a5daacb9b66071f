"""What can be downloaded: a competition's data or a dataset, its list of files, and checks."""

import dataclasses
import re
import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.core.files import file_digest
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat
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
                f"Run: python -m kagglecxr.prepare {shlex.quote(name)}"
            )
        if kind == "folder":
            raise SettingError(
                "There is nothing to download: Kaggle does not serve these data, they are a folder "
                f"of this machine. Received: {name}. Run: python -m kagglecxr.prepare "
                f"{shlex.quote(name)} --data FOLDER"
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
            f"{shlex.quote(self.name)} --data FOLDER"
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


SHA256SUMS = "SHA256SUMS"
"""The name of a list of hashes among the data themselves."""
_SHA256_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def compare_with_listing(listed: Mapping[str, int], found: Mapping[str, FileStat]) -> list[str]:
    """The listed files that are missing or have another size, as text.

    Kaggle's list may leave out folders' names, and files. A size of 0 is an unknown one.
    """
    wrong = [
        f"{name} ({found[name].size} bytes of {size})"
        for name, size in listed.items()
        if name in found and size not in (0, found[name].size)
    ]
    unlisted = Counter(
        (PurePosixPath(name).name, stat.size) for name, stat in found.items() if name not in listed
    )
    for name in sorted({*listed} - {*found}):
        key = PurePosixPath(name).name, listed[name]
        if unlisted[key] > 0:
            unlisted[key] -= 1
        else:
            wrong.append(f"{name} (missing)")
    return wrong


def check_listing(listed: Mapping[str, int], found: Mapping[str, FileStat], what: str) -> None:
    """Refuses an archive that does not hold what Kaggle lists.

    Raises:
        DataError: files are missing or of another size.
    """
    if wrong := compare_with_listing(listed, found):
        raise DataError(
            f"What arrived is not what Kaggle lists. Received: {shorten(wrong)}, in {what}. Run "
            "the same command again to download it anew; if that changes nothing, Kaggle is "
            "publishing another version: try again in some hours."
        )


def read_sha256sums(path: Path) -> dict[str, str]:
    """Reads a list in sha256sum's form: the SHA-256 of each file by its name."""
    if not path.is_file():
        raise MissingError(
            f"The list of hashes is not there. Looked for: {path}. Check sha256sums in [source] of "
            "the competition's TOML file."
        )
    sums: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not (match := _SHA256_LINE.fullmatch(line.rstrip())):
            raise DataError(
                f"A list of hashes has a line that is not in sha256sum's form. Received: line "
                f"{number} of {path}. Write it as: sha256sum FILE."
            )
        sums[PurePosixPath(match[2]).as_posix()] = match[1].lower()
    return sums


def check_sha256(
    sums: Mapping[str, str], files: Mapping[str, Path], origin: str, reporter: Reporter
) -> None:
    """Compares every file in a list of hashes; `origin` says in the error whose list it is.

    Raises:
        DataError: a file is missing, or has another hash.
    """
    wrong = []
    with reporter.bar("Comparing hashes", len(sums)) as bar:
        for name, expected in sums.items():
            if name not in files:
                wrong.append(f"{name} (missing)")
            elif file_digest(files[name]) != expected:
                wrong.append(name)
            bar.advance()
    if wrong:
        raise DataError(
            f"Files are not what their list of hashes says. Received: {shorten(wrong)}, by "
            f"{origin}. Run the same command again to download them anew; if that changes nothing, "
            "the data or the list were changed: compare the dates of both."
        )


def describe_steps(steps: Sequence[str], work: Path) -> str:
    """Returns the commands that bring data which are not on Kaggle, one on each line.

    >>> print(describe_steps(["unzip a.zip -d {work}/raw"], Path("my work")), end="")
    Not on Kaggle; these commands bring the images:
      unzip a.zip -d 'my work'/raw
    """
    named = [step.replace("{work}", shlex.quote(str(work))) for step in steps]
    lines = ["Not on Kaggle; these commands bring the images:", *(f"  {step}" for step in named)]
    return "".join(f"{line}\n" for line in lines)
