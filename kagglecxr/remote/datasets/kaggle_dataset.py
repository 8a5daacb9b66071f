"""One dataset on Kaggle: its metadata, status and version, creating and updating it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kagglecxr.core.progress import Reporter
from kagglecxr.core.registry import nearest
from kagglecxr.remote.client import TIMEOUT, call_with_retry, username
from kagglecxr.remote.errors import PAGE, RUN_AGAIN, KaggleError, RequestContext, redact
from kagglecxr.remote.metadata import KaggleMetadata, Text, length, owner_slug

LICENSES = (
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-3.0-IGO", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
    "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-SA-3.0-IGO", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0",
    "GPL-2.0", "GPL-3.0", "LGPL-3.0", "AGPL-3.0", "FDL-1.3", "apache-2.0", "ODbL-1.0", "DbCL-1.0",
    "ODC-BY-1.0", "PDDL", "CDLA-Permissive-1.0", "CDLA-Sharing-1.0", "US-Government-Works",
    "EU-ODP-Legal-Notice", "copyright-authors", "other", "unknown",
)  # fmt: skip


def _subtitle(text: str) -> str:
    if text and not 20 <= len(text) <= 80:
        raise ValueError("give it 20 to 80 characters, or leave it out")
    return text


def _license(name: str) -> str:
    if name not in LICENSES:
        raise ValueError(f"write one that Kaggle has, as {', '.join(nearest(name, LICENSES))}")
    return name


class License(BaseModel):
    """A licence by the name that Kaggle gives it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: Annotated[Text, AfterValidator(_license)]


class Resource(BaseModel):
    """The description of one file; other entries, as its columns, are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    path: str
    description: Text = ""


def _one(licenses: list[License]) -> list[License]:
    if len(licenses) != 1:
        raise ValueError("name exactly one")
    return licenses


def _once(resources: list[Resource]) -> list[Resource]:
    if len({resource.path for resource in resources}) != len(resources):
        raise ValueError("name each path once")
    return resources


class DatasetMetadata(KaggleMetadata):
    """The metadata of a dataset; the id is `owner/slug`, resources describe single files."""

    KIND: ClassVar[str] = "dataset"
    FILE: ClassVar[str] = "dataset-metadata.json"

    id: Annotated[Text, owner_slug(6, 50)]
    title: Annotated[Text, length(6, 50)]
    licenses: Annotated[list[License], AfterValidator(_one)]
    subtitle: Annotated[Text, AfterValidator(_subtitle)] = ""
    description: Text = ""
    keywords: list[str] = Field(default_factory=list)
    resources: Annotated[list[Resource], AfterValidator(_once)] = Field(default_factory=list)

    def named_files(self) -> list[str]:
        """The files that the resources describe."""
        return [resource.path for resource in self.resources]


READY, FAILED, DELETED = "ready", "failed", "deleted"
# Kaggle may be silent for a while after the last byte of a large file.
_UPLOAD_TIMEOUT = 300.0
_NOT_UPLOADED = "Upload unsuccessful: "
Result = TypeVar("Result")


class DatasetRefusedError(KaggleError):
    """Kaggle received the request and refuses it in its response."""


@dataclass(frozen=True)
class KaggleDataset:
    """A dataset on Kaggle, whether it exists or not.

    Every method raises MissingError without credentials, and KaggleError if Kaggle refuses, does
    not respond or cannot be reached. The ref is `owner/slug`.
    """

    ref: str
    reporter: Reporter

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"{PAGE}/datasets/{self.ref}"

    def status(self) -> str | None:
        """The status of its latest version; None if there is no such dataset.

        Kaggle also responds 403 for a dataset that does not exist; that means a free name only if
        the owner is the credentials' user.
        """
        try:
            status = self._call("its status", lambda api: str(api.dataset_status(self.ref)))
        except KaggleError as error:
            if error.status == 404 or (error.status == 403 and self._is_own()):
                return None
            raise
        return None if status == DELETED else status

    def version(self) -> int:
        """The number of its latest version; 0 if it has none."""

        def call(api: Any) -> int:
            from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

            request = ApiGetDatasetRequest()
            request.owner_slug, request.dataset_slug = self.ref.split("/")
            with api.build_kaggle_client() as kaggle:
                found = kaggle.datasets.dataset_api_client.get_dataset(request)
            return int(found.current_version_number or 0)

        return self._call("its version", call)

    def create(self, folder: Path, *, public: bool) -> None:
        """Creates it from the files of a folder; refused if it exists already."""
        self._upload(
            folder, lambda api: api.dataset_create_new(str(folder), public=public, quiet=True)
        )

    def add_version(self, folder: Path, notes: str) -> None:
        """Replaces all of its files by those of a folder."""
        self._upload(folder, lambda api: api.dataset_create_version(str(folder), notes, quiet=True))

    def _upload(self, folder: Path, call: Callable[[Any], Any]) -> None:
        files = [path for path in folder.iterdir() if path.name != DatasetMetadata.FILE]

        def upload(api: Any) -> Any:
            remaining = sum(path.stat().st_size for path in files)

            def advance(size: int) -> None:
                # What is sent a second time after an interruption does not count.
                nonlocal remaining
                bar.advance(min(size, remaining))
                remaining -= min(size, remaining)

            with self.reporter.bar("Uploading", remaining, unit="bytes") as bar:
                api.on_upload = advance
                try:
                    return call(api)
                except ValueError as error:
                    if not str(error).startswith(_NOT_UPLOADED):
                        raise
                    raise KaggleError(
                        f"A file of the dataset was not uploaded. Received: {self.ref} without "
                        f"{str(error).removeprefix(_NOT_UPLOADED)}. {RUN_AGAIN}."
                    ) from None

        response = self._call("it", upload, _UPLOAD_TIMEOUT, changes=True)
        if response.error or (response.status or "").lower() == "error":
            reason = redact(ValueError(response.error or "no reason"))
            raise DatasetRefusedError(
                f"Kaggle refuses the dataset. Received: {reason} for {self.ref}. Correct that, or "
                "write another title and slug into its metadata."
            )

    def _is_own(self) -> bool:
        return username(self.reporter).lower() == self.ref.split("/")[0].lower()

    def _call(
        self,
        what: str,
        call: Callable[[Any], Result],
        timeout: float = TIMEOUT,
        *,
        changes: bool = False,
    ) -> Result:
        context = RequestContext(
            what=f"dataset {self.ref} ({what})",
            if_refused=f"Check that {self.ref.split('/')[0]} is the credentials' user, and that "
            f"{self.page} is theirs.",
            if_unknown=f"Check the name against the address of the dataset's page: {self.page}",
            instead="The folder's files can also be uploaded on Kaggle's page: Create, New "
            "Dataset.",
        )
        return call_with_retry(context, call, self.reporter, timeout=timeout, changes=changes)
