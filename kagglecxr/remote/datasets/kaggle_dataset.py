"""One dataset on Kaggle: its status, versions and files, creating and updating it."""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.remote.client import TIMEOUT, RetryPolicy, call_with_retry, username
from kagglecxr.remote.datasets.dataset_metadata import DATASET_METADATA
from kagglecxr.remote.errors import PAGE, RUN_AGAIN, KaggleError, RequestContext, redact

READY, FAILED, DELETED = "ready", "failed", "deleted"
# Kaggle may be silent for a while after the last byte of a large file.
SENDING_TIMEOUT = 300.0
_NOT_UPLOADED = "Upload unsuccessful: "
Result = TypeVar("Result")


class DatasetRefusedError(KaggleError):
    """Kaggle took the request and refuses it in its answer."""


@dataclass(frozen=True)
class KaggleDataset:
    """A dataset on Kaggle, there or not.

    Every method raises MissingError without credentials, and KaggleError when Kaggle refuses,
    falls silent or cannot be reached.

    Attributes:
        ref: `owner/slug`.
        reporter: told of waiting.
        patience: for how long too many requests are waited out.
    """

    ref: str
    reporter: Reporter
    patience: RetryPolicy = RetryPolicy()

    @property
    def page(self) -> str:
        """Its address."""
        return f"{PAGE}/datasets/{self.ref}"

    def status(self) -> str | None:
        """What its latest version is at; None where there is no such dataset.

        Of what is not there or not one's own Kaggle says 403 as well, so that means a free name
        only where the owner is the credentials' user.
        """
        try:
            status = self._ask("its status", lambda api: str(api.dataset_status(self.ref)))
        except KaggleError as error:
            if error.status == 404 or (error.status == 403 and self._is_own()):
                return None
            raise
        return None if status == DELETED else status

    def version(self) -> int:
        """The number of its latest version; 0 where it has none."""

        def call(api: Any) -> int:
            # What the client itself has for this came with 2.2.
            from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

            request = ApiGetDatasetRequest()
            request.owner_slug, request.dataset_slug = self.ref.split("/")
            with api.build_kaggle_client() as kaggle:
                found = kaggle.datasets.dataset_api_client.get_dataset(request)
            return int(found.current_version_number or 0)

        return self._ask("its version", call)

    def files(self, version: int) -> dict[str, int]:
        """The sizes in bytes of a version's files, all pages of them."""

        def call(api: Any, token: str | None) -> Any:
            page = api.dataset_list_files(f"{self.ref}/{version}", page_token=token, page_size=200)
            if page.error_message:
                raise self._refused(page.error_message)
            return page

        found: dict[str, int] = {}
        token = None
        while token != "":
            page = self._ask("its files", partial(call, token=token))
            found |= {str(file.name): int(file.total_bytes) for file in page.files or []}
            token = page.next_page_token or ""
        return found

    def create(self, folder: Path, *, public: bool) -> None:
        """Makes it of the files in a folder; one that is there already is refused."""
        self._send(
            folder, lambda api: api.dataset_create_new(str(folder), public=public, quiet=True)
        )

    def add_version(self, folder: Path, notes: str) -> None:
        """Replaces all of its files by those in a folder."""
        self._send(folder, lambda api: api.dataset_create_version(str(folder), notes, quiet=True))

    def _send(self, folder: Path, call: Callable[[Any], Any]) -> None:
        total = sum(
            path.stat().st_size for path in folder.iterdir() if path.name != DATASET_METADATA
        )

        def sent(api: Any) -> Any:
            try:
                with upload_bar(total, self.reporter):
                    return call(api)
            except ValueError as error:
                if not str(error).startswith(_NOT_UPLOADED):
                    raise
                raise incomplete_upload(
                    self.ref, [str(error).removeprefix(_NOT_UPLOADED)]
                ) from None

        answer = self._ask("it", sent, SENDING_TIMEOUT)
        if answer.error or (answer.status or "").lower() == "error":
            raise self._refused(answer.error or "no reason")

    def _refused(self, reason: str) -> DatasetRefusedError:
        return DatasetRefusedError(
            f"Kaggle refuses a dataset. Received: {redact(ValueError(reason))} for {self.ref}. "
            "Mend that, or give the dataset another title and slug in its metadata."
        )

    def _is_own(self) -> bool:
        return username(self.reporter, self.patience).lower() == self.ref.split("/")[0].lower()

    def _ask(self, what: str, call: Callable[[Any], Result], timeout: float = TIMEOUT) -> Result:
        errand = RequestContext(
            what=f"dataset {self.ref} ({what})",
            if_refused=f"Check that {self.ref.split('/')[0]} is the credentials' user, and that "
            f"{self.page} is theirs.",
            if_unknown=f"Check the name against the address of the dataset's page: {self.page}",
            instead="The folder's files can be uploaded on Kaggle's page as well: Create, New "
            "Dataset.",
        )
        return call_with_retry(errand, call, self.reporter, timeout=timeout, patience=self.patience)


def incomplete_upload(ref: str, names: list[str]) -> KaggleError:
    """The error for files that Kaggle has not got, or not whole."""
    return KaggleError(
        f"Not all files of a dataset arrived. Received: {ref} without {', '.join(names)}. "
        f"{RUN_AGAIN}: it sends them anew."
    )


@contextlib.contextmanager
def upload_bar(total: int, reporter: Reporter) -> Iterator[None]:
    """A bar of the bytes that are uploaded within a block.

    The client counts them on a bar that it makes by a name in its module, all versions alike.

    Args:
        total: bytes of all files; what is sent twice counts once, what had arrived before not.
        reporter: shows it.
    """
    client: Any = importlib.import_module("kaggle.api.kaggle_api_extended")
    usual = client.tqdm
    with reporter.bar("Uploading", total, unit="bytes") as bar:
        client.tqdm = partial(_Counter, _Remaining(bar, total))
        try:
            yield
        finally:
            client.tqdm = usual


class _Remaining:
    """Never moves a bar past its end."""

    def __init__(self, bar: Bar, items: int) -> None:
        self._bar, self._items = bar, items

    def advance(self, items: int) -> None:
        moved = min(items, self._items)
        self._items -= moved
        self._bar.advance(moved)


class _Counter:
    """What the client takes for its own bar."""

    def __init__(self, remaining: _Remaining, **_: object) -> None:
        self.update = remaining.advance

    def __enter__(self) -> "_Counter":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to be closed."""
