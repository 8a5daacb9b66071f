"""The tables of a competition's TOML; docs/competitions.md describes every entry."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kagglecxr.core.errors import SettingError
from kagglecxr.core.findings import NO_FINDING, NOT_KNOWN, SEPARATOR, split_findings
from kagglecxr.core.submission_format import FORMATS, JOINED, SubmissionFormat


class TomlTable(BaseModel):
    """Base class of the TOML's tables: unknown entries are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _patient_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if pattern and not groups:
        raise ValueError("the expression needs a group in ( ) that names the patient")
    return pattern


def _relative_pattern(pattern: str) -> str:
    """A pattern with forward slashes and no `./` before it."""
    pattern = pattern.replace("\\", "/").removeprefix("./")
    if pattern.startswith(("/", "~")) or re.match("[A-Za-z]:", pattern):
        raise ValueError("the pattern is absolute; write it relative to the data folder")
    strange = [word for word in re.findall(r"\{[^}]*\}?", pattern) if word != "{class}"]
    if strange:
        raise ValueError(
            f"the pattern has {strange[0]}, but only {{class}}, * and ** stand for something; "
            "images of every suffix are found by *"
        )
    if any("**" in folder and folder != "**" for folder in pattern.split("/")):
        raise ValueError("** stands for folders and needs slashes around it, as in train/**/*")
    return pattern


Pattern = Annotated[str, AfterValidator(_relative_pattern)]
"""A pattern of paths below the data folder."""


def _pattern_with_class(pattern: str) -> str:
    if "{class}" not in pattern:
        raise ValueError("the pattern needs {class}, which stands for the folders in classes")
    return pattern


class Source(TomlTable):
    """Where the data come from.

    Attributes:
        path: the folder of the images, from the TOML's; of kind "folder" it is the TOML's own.
        steps: commands that bring the images of kind "folder"; {work} is the workspace's folder.
    """

    kind: Literal["competition", "dataset", "folder", "demo"]
    path: str = ""
    steps: list[str] = []
    slug: str = ""
    url: str = ""
    sha256sums: str = ""


class Classes(TomlTable):
    """The classes of the labels, and how they are pooled into targets.

    Attributes:
        multilabel: an image may have several of them, or none: they are findings.
        none: what the label of an image without a finding is.
        uncertain: what a finding marked -1 counts as.
    """

    names: list[str] = []
    folders: dict[str, str] = {}
    pools: dict[str, list[str]] = {}
    multilabel: bool = False
    none: Annotated[str, Field(min_length=1)] = NO_FINDING
    uncertain: Literal["negative", "positive", "ignore"] = "negative"

    @model_validator(mode="before")
    @classmethod
    def _none_is_no_finding(cls, values: dict[str, object]) -> dict[str, object]:
        names, none = values.get("names"), values.get("none", NO_FINDING)
        if values.get("multilabel") and isinstance(names, list):
            return {**values, "names": [name for name in names if name != none]}
        return values

    @model_validator(mode="after")
    def _findings_are_plain(self) -> "Classes":
        if not self.multilabel:
            return self
        if self.pools or self.folders:
            raise ValueError("[classes] of several labels an image have neither pools nor folders")
        strange = [n for n in self.names if SEPARATOR in n or n.startswith(NOT_KNOWN)]
        if strange:
            raise ValueError(f"[classes] names holds {strange[0]!r}; findings are joined by |")
        return self

    def of_cells(self, cells: Iterable[str]) -> list[str]:
        """Returns the classes in label cells, each once, those that are no name included."""
        cells = dict.fromkeys(cells)
        if not self.multilabel:
            return [cell for cell in cells if cell]
        names = dict.fromkeys(name for cell in cells for name in split_findings(cell))
        return [name for name in names if name != self.none]

    @model_validator(mode="after")
    def _names_are_consistent(self) -> "Classes":
        if len(set(self.names)) != len(self.names):
            raise ValueError("[classes] names holds one class twice")
        pooled = [name for members in self.pools.values() for name in members]
        for kind, named in (("pools", pooled), ("folders", list(self.folders))):
            strange = sorted(set(named) - set(self.names))
            if strange:
                raise ValueError(f"[classes] {kind} names {strange[0]!r}, which is not in names")
        if len(set(pooled)) != len(pooled):
            raise ValueError("[classes.pools] holds one class twice")
        for pool, members in self.pools.items():
            if pool in self.names and pool not in members:
                raise ValueError(f"[classes.pools] {pool!r} is also the name of a class outside it")
        return self

    def targets(self) -> dict[str, list[str]]:
        """Returns the classes of each target, in target order."""
        member_of = {name: pool for pool, members in self.pools.items() for name in members}
        order = dict.fromkeys(member_of.get(name, name) for name in self.names)
        return {target: list(self.pools.get(target, [target])) for target in order}


class Layout(TomlTable):
    """Where images, labels, masks, patients and sources are in the data folder.

    A pattern is a relative path in which `{class}` stands for a class's folder, `{stem}` for an
    image's file name without suffix, `*` for any text without a slash, and `**` for any number of
    folders.
    """

    train: list[Pattern] = []
    test: list[Pattern] = []
    labels: str = ""
    label_id: str = "id"
    label_column: str = "label"
    masks: str = ""
    metadata: str = "metadata.csv"
    sample: str = ""
    patient: Annotated[str, AfterValidator(_patient_pattern)] = ""
    test_patients_apart: bool = False
    test_list: str = ""
    test_labels: str = ""

    @model_validator(mode="after")
    def _test_labels_come_second(self) -> "Layout":
        if self.test_labels and not self.labels:
            raise ValueError("[layout] test_labels needs labels, the table of the training set")
        return self


class Merge(TomlTable):
    """Another data set whose images are added to the training set of some classes."""

    data: Annotated[str, Field(min_length=1)]
    classes: Annotated[dict[str, str], Field(min_length=1)]
    train: list[Annotated[Pattern, AfterValidator(_pattern_with_class)]] = []
    patient: Annotated[str, AfterValidator(_patient_pattern)] = ""
    source: str = ""
    limit: Annotated[int, Field(ge=1)] | None = None

    @property
    def name(self) -> str:
        """Its name in the index."""
        return self.source or Path(self.data).name


def _known_form(name: str) -> str:
    FORMATS[name]
    return name


class SubmissionSettings(TomlTable):
    """The columns of a submission and what they hold.

    Attributes:
        id: name of the column of image ids.
        target: name of the answer's column, unused where each target has its own.
        form: a name in FORMATS.
        positive: the target whose probability is submitted; defaults to the last one.
        separator: between the names of several findings in one cell, with form = "joined".
        none: the cell of an image without any of them; defaults to that of [classes].
    """

    id: str = "id"
    target: str = "label"
    form: Annotated[str, AfterValidator(_known_form)] = "class"
    positive: str | None = None
    separator: Annotated[str, Field(min_length=1)] = SEPARATOR
    none: str = NO_FINDING

    def for_targets(self, targets: list[str]) -> SubmissionFormat:
        """Returns the format of submissions for targets.

        Raises:
            SettingError: findings are joined, and one is called as none of them is.
        """
        if self.form == JOINED and self.none in targets:
            raise SettingError(
                f"What no finding is called is the name of one. Received: none = {self.none!r} "
                "under [submission]. Write the word that the sample has for it, as No Finding."
            )
        return FORMATS[self.form](
            targets, self.id, self.target, self.positive, self.separator, self.none
        )


class MetricChoice(TomlTable):
    """The competition's metric.

    Attributes:
        name: a name in METRICS.
        positive: the target of a metric of one target; defaults to the last one.
    """

    name: str = "accuracy"
    positive: str | None = None
