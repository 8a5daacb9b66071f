"""What a competition is: its TOML form, the presets, and a plain folder taken for one."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.registry import unknown
from kagglecxr.core.rules import Rules
from kagglecxr.core.submission import SubmissionForm

PRESETS = Path(__file__).parent.parent / "competitions"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where the data come from.

    Attributes:
        kind: a Kaggle competition, a Kaggle dataset, a folder on this machine, or the demo.
        slug: the competition's slug, or the dataset's `owner/name`.
        url: the page a person would open for data that Kaggle does not serve.
    """

    kind: Literal["competition", "dataset", "folder", "demo"]
    slug: str = ""
    url: str = ""


class Classes(_Section):
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


class Layout(_Section):
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
    patient: str = ""
    test_patients_apart: bool = False

    @field_validator("patient")
    @classmethod
    def _patient_is_a_pattern(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if pattern and not groups:
            raise ValueError("the expression needs a group in ( ) that names the patient")
        return pattern


class MetricChoice(_Section):
    """The competition's score."""

    name: str = "accuracy"


class Competition(_Section):
    """One competition or data set, as its TOML describes it."""

    # Python's own expressions, so that a letter is here what it is in `_of_folder`.
    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    name: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*\Z")]
    title: str = ""
    source: Source
    classes: Classes = Classes()
    layout: Layout = Layout()
    metric: MetricChoice = MetricChoice()
    submission: SubmissionForm = SubmissionForm()
    folder: Path | None = None

    @model_validator(mode="after")
    def _metric_fits_the_form(self) -> "Competition":
        metric = METRICS[self.metric.name]
        if metric.needs_probabilities and self.submission.form in ("class", "class_id"):
            raise ValueError(f"metric {metric.name!r} needs probabilities, not classes")
        positive = self.submission.positive
        if self.classes.names and positive and positive not in self.classes.targets():
            raise ValueError(f"[submission] positive is {positive!r}, which is no target")
        return self

    def with_classes(self, found: list[str]) -> "Competition":
        """This description, its class names filled in from the files where it has none."""
        if self.classes.names:
            return self
        return self.model_copy(update={"classes": Classes(names=sorted(found))})

    def targets(self) -> list[str]:
        """The names of the targets, in order."""
        return list(self.classes.targets())

    def target_of_class(self) -> dict[str, int]:
        """The target id of each class name."""
        members = self.classes.targets().values()
        return {name: t for t, names in enumerate(members) for name in names}

    def rules(self) -> Rules:
        """What its leaderboard scores by."""
        return Rules(self.name, self.submission, self.targets(), METRICS[self.metric.name])

    def pools(self) -> list[list[int]]:
        """The class ids that make each target, as BalancedSequence takes them."""
        ids = {name: i for i, name in enumerate(self.classes.names)}
        return [[ids[name] for name in names] for names in self.classes.targets().values()]


def preset_names() -> list[str]:
    """The presets the package brings."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_competition(name: str | Path) -> Competition:
    """A competition by its preset's name, its TOML file, or its folder of class folders.

    Args:
        name: as above.

    Raises:
        UnknownNameError: no such preset, file or folder; the nearest three presets are named.
        SettingError: the TOML is not valid; the entry is named.

    >>> load_competition("demo").source.kind
    'demo'
    """
    preset = PRESETS / f"{name}.toml"
    if preset.is_file():
        return _read(preset)
    path = Path(name)
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise MissingError(
                f"The competition's TOML file is not there. Received: {str(name)!r}. "
                "Check the path."
            )
        return _read(path)
    if path.is_file():
        raise SettingError(
            f"A competition is a preset, a TOML file or a folder. Received the file "
            f"{str(name)!r}. Name its folder instead."
        )
    raise unknown("competition preset, TOML file or folder", str(name), preset_names())


def _of_folder(folder: Path) -> Competition:
    whole = folder.resolve()
    safe = re.sub(r"[^\w.-]", "-", whole.name).lstrip("._-")
    return Competition(
        name=safe or "folder",
        source=Source(kind="folder"),
        metric=MetricChoice(name="balanced_accuracy"),
        folder=whole,
    )


def _read(path: Path) -> Competition:
    try:
        return Competition.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"A competition's file is not TOML. Received: {path} ({error}). Mend that line."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingError(
            f"A competition's TOML is not valid. Received: {path}, at {where}: {first['msg']}. "
            "Mend that entry; docs/competitions.md lists them all."
        ) from error
