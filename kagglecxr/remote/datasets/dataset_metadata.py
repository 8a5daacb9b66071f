"""dataset-metadata.json: what the client reads of a folder that becomes a dataset."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.registry import nearest

DATASET_METADATA = "dataset-metadata.json"
LICENSES = (
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-3.0-IGO", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
    "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-SA-3.0-IGO", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0",
    "GPL-2.0", "GPL-3.0", "LGPL-3.0", "AGPL-3.0", "FDL-1.3", "apache-2.0", "ODbL-1.0", "DbCL-1.0",
    "ODC-BY-1.0", "PDDL", "CDLA-Permissive-1.0", "CDLA-Sharing-1.0", "US-Government-Works",
    "EU-ODP-Legal-Notice", "copyright-authors", "other", "unknown",
)  # fmt: skip


def _filled_in(text: str) -> str:
    if "INSERT_" in text:
        raise ValueError("replace the placeholder")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+/[a-z0-9]+(-[a-z0-9]+)*", text):
        raise ValueError("write owner/slug, the slug in lower-case letters, digits and hyphens")
    if not 6 <= len(text.partition("/")[2]) <= 50:
        raise ValueError("give the slug 6 to 50 characters")
    return text


def _title(text: str) -> str:
    if not 6 <= len(text) <= 50:
        raise ValueError("give it 6 to 50 characters")
    return text


def _subtitle(text: str) -> str:
    if text and not 20 <= len(text) <= 80:
        raise ValueError("give it 20 to 80 characters, or leave it out")
    return text


def _license(name: str) -> str:
    if name not in LICENSES:
        raise ValueError(f"write one that Kaggle has, as {', '.join(nearest(name, LICENSES))}")
    return name


Text = Annotated[str, AfterValidator(_filled_in)]


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class License(_StrictModel):
    """The licence's name, as Kaggle writes it."""

    name: Annotated[Text, AfterValidator(_license)]


class Resource(BaseModel):
    """What is said of one file; its columns are handed on as they are."""

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


class DatasetMetadata(_StrictModel):
    """What Kaggle is told of a dataset.

    Attributes:
        id: `owner/slug`.
        title: shown above it.
        licenses: exactly one.
        subtitle: one line, or empty.
        description: Markdown.
        keywords: Kaggle's tags.
        resources: what is said of single files.
    """

    id: Annotated[Text, AfterValidator(_id)]
    title: Annotated[Text, AfterValidator(_title)]
    licenses: Annotated[list[License], AfterValidator(_one)]
    subtitle: Annotated[Text, AfterValidator(_subtitle)] = ""
    description: Text = ""
    keywords: list[str] = []
    resources: Annotated[list[Resource], AfterValidator(_once)] = []

    def write(self, folder: Path) -> Path:
        """Writes it into the dataset's folder."""
        path = folder / DATASET_METADATA
        values = self.model_dump(mode="json")
        # The client takes an empty entry for a value.
        write_json(path, {key: value for key, value in values.items() if value})
        return path


def dataset_metadata(values: dict[str, Any], where: str = "") -> DatasetMetadata:
    """Values under the keys of the file, checked.

    Args:
        values: as they stand in the file.
        where: what they were read from, for an error.

    Raises:
        SettingError: one of them breaks a rule of Kaggle's.
    """
    try:
        return DatasetMetadata.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        rule = first["msg"].removeprefix("Value error, ")
        received = f"{key} {first['input']!r}" if first["type"] != "missing" else f"no {key}"
        raise SettingError(
            f"A dataset's metadata break a rule of Kaggle's. Received: {received}"
            f"{where and f' in {where}'}. Mend it: {rule}."
        ) from error


def read_dataset_metadata(folder: Path) -> DatasetMetadata:
    """Reads the file of a dataset's folder.

    Raises:
        MissingError: there is none, or a file that it names is not there.
        SettingError: it is not JSON, or breaks a rule of Kaggle's.
    """
    path = folder / DATASET_METADATA
    try:
        values = read_json(path)
    except FileNotFoundError as error:
        raise MissingError(
            f"A dataset's folder is without its metadata. Looked for: {path}. Run: python -m "
            "kagglecxr.kernel build"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError) as error:
        raise SettingError(
            f"A dataset's metadata are not JSON. Received: {path} ({error}). Mend that line."
        ) from error
    metadata = dataset_metadata(values, str(path))
    for resource in metadata.resources:
        if not (folder / resource.path).is_file():
            raise MissingError(
                f"A dataset's metadata name a file that is not there. Looked for: "
                f"{folder / resource.path}. Mend the path in {path}, or leave it out."
            )
    return metadata
