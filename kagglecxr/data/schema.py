"""The tables of a competition's TOML, each with what it may hold."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class TomlTable(BaseModel):
    """A table of the TOML: no unknown entries, nothing changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _patient_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if pattern and not groups:
        raise ValueError("the expression needs a group in ( ) that names the patient")
    return pattern


def _pattern_with_class(pattern: str) -> str:
    if "{class}" not in pattern:
        raise ValueError("the pattern needs {class}, which stands for the folders in classes")
    return pattern


class Source(TomlTable):
    """Where the data come from.

    Attributes:
        kind: a Kaggle competition, a Kaggle dataset, a folder on this machine, or the demo.
        slug: the competition's slug, or the dataset's `owner/name`.
        url: the page a person would open for data that Kaggle does not serve.
        sha256sums: a file beside the TOML with the hashes of the data's files, in sha256sum's form.
    """

    kind: Literal["competition", "dataset", "folder", "demo"]
    slug: str = ""
    url: str = ""
    sha256sums: str = ""


class Classes(TomlTable):
    """The classes of the labels, and how they are joined into targets.

    Attributes:
        names: the classes, in the order of their ids; found in the files where empty.
        folders: the folder of a class, where it is not its name.
        pools: targets made of several classes; a class in no pool is a target of its own.
    """

    names: list[str] = []
    folders: dict[str, str] = {}
    pools: dict[str, list[str]] = {}

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
        """The classes of each target, in target order."""
        member_of = {name: pool for pool, members in self.pools.items() for name in members}
        order = dict.fromkeys(member_of.get(name, name) for name in self.names)
        return {target: list(self.pools.get(target, [target])) for target in order}


class Layout(TomlTable):
    """Where images, labels, masks, patients and sources are, below the data folder.

    A pattern is a path with `{class}` for a class's folder, `{stem}` for an image's name without
    its suffix, and `*` for anything inside one path part.

    Attributes:
        train: patterns of labelled images; a folder a class where empty.
        test: patterns of the test part's images; a `{class}` in it goes to the rehearsal only.
        labels: a CSV of labels for images that lie in no class folder.
        label_id: that CSV's column of ids (file names, with or without suffix).
        label_column: that CSV's column of class names.
        masks: the pattern of an image's lung mask.
        metadata: a CSV with path, label, source, patient_id or group_id, mask_path.
        sample: the competition's sample submission, whose ids the test images take.
        patient: a regular expression on the file name, whose first group names the patient.
        test_patients_apart: the test part is known to share no patient with the train part, even
            where their file names do.
    """

    train: list[str] = []
    test: list[str] = []
    labels: str = ""
    label_id: str = "id"
    label_column: str = "label"
    masks: str = ""
    metadata: str = "metadata.csv"
    sample: str = ""
    patient: Annotated[str, AfterValidator(_patient_pattern)] = ""
    test_patients_apart: bool = False


class Merge(TomlTable):
    """Another data set, whose images join the training part of some classes.

    Attributes:
        data: its folder: absolute, from ~, or found in the data folder or beside it.
        classes: which of our classes each of its folders goes to.
        train: patterns of its images, with `{class}` for such a folder; a folder a class where
            empty.
        patient: a regular expression on the file name, whose first group names the patient.
        source: what the index calls it; the folder's name where empty.
        limit: how many of its images are taken at most, spread evenly over their sorted names.
    """

    data: Annotated[str, Field(min_length=1)]
    classes: Annotated[dict[str, str], Field(min_length=1)]
    train: list[Annotated[str, AfterValidator(_pattern_with_class)]] = []
    patient: Annotated[str, AfterValidator(_patient_pattern)] = ""
    source: str = ""
    limit: Annotated[int, Field(ge=1)] | None = None

    @property
    def name(self) -> str:
        """What the index calls it."""
        return self.source or Path(self.data).name


class MetricChoice(TomlTable):
    """The competition's score."""

    name: str = "accuracy"
