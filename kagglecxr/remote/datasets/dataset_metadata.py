"""dataset-metadata.json: what the Kaggle client reads of a folder that becomes a dataset."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kagglecxr.core.registry import nearest
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
