"""The settings of a competition, from a preset, a TOML file or a folder of class folders."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError, model_validator

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.finding_metrics import FINDING_METRICS, OF_DECISIONS, OF_RANKING, finding_metric
from kagglecxr.core.labels import in_order
from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.core.submission_format import COLUMN_A_CLASS, FORMATS, JOINED
from kagglecxr.data.images.image import SUFFIXES
from kagglecxr.data.schema import (
    Classes,
    Layout,
    Merge,
    MetricChoice,
    Source,
    SubmissionSettings,
    TomlTable,
)
from kagglecxr.data.toml_errors import not_valid

FINDING_FORMS = (COLUMN_A_CLASS, JOINED, "long")
"""Forms of submissions that hold several findings an image."""

PRESETS = Path(__file__).parent.parent / "competitions"


class Competition(TomlTable):
    """The settings of one competition or data set.

    Attributes:
        folder: the data folder, where a folder was named in place of a TOML.
        images: the data folder that a TOML of kind "folder" describes, unless --data names another.
    """

    # Python's regular expressions, so that \w is the same here as in `_from_folder`.
    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    name: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*\Z")]
    title: str = ""
    source: Source
    classes: Classes = Classes()
    layout: Layout = Layout()
    merge: tuple[Merge, ...] = ()
    metric: MetricChoice = MetricChoice()
    submission: SubmissionSettings = SubmissionSettings()
    folder: Annotated[Path | None, Field(exclude=True)] = None
    images: Annotated[Path | None, Field(exclude=True)] = None

    @model_validator(mode="after")
    def _metric_fits_the_form(self) -> "Competition":
        name = self.metric.name
        if self.classes.multilabel or (name in FINDING_METRICS and name not in METRICS):
            finding_metric(name)
            return self
        metric = METRICS[name]
        is_told = "form" in self.submission.model_fields_set or not self.layout.sample
        if (
            is_told
            and metric.needs_probabilities
            and not FORMATS[self.submission.form].holds_probabilities
        ):
            raise ValueError(f"metric {metric.name!r} needs probabilities, not classes")
        if self.classes.names:
            for table, positive in (
                ("submission", self.submission.positive),
                ("metric", self.metric.positive),
            ):
                if positive and positive not in self.classes.targets():
                    raise ValueError(f"[{table}] positive is {positive!r}, which is no target")
        if self.metric.positive and metric.measure_target is None:
            raise ValueError(f"metric {metric.name!r} is one of all targets; leave out positive")
        return self

    @model_validator(mode="after")
    def _merged_classes_are_known(self) -> "Competition":
        for part in self.merge:
            unknown = sorted(set(part.classes.values()) - set(self.classes.names))
            if unknown:
                raise ValueError(
                    f"[[merge]] {part.data!r} names {unknown[0]!r}, which is not in [classes] names"
                )
        names = [part.name for part in self.merge]
        if len(set(names)) != len(names):
            raise ValueError("[[merge]] holds two data sets of one name; give them a source each")
        return self

    def with_classes(self, found: list[str]) -> "Competition":
        """Returns a copy with these class names in order, or itself if it has class names."""
        if self.classes.names:
            return self
        named = self.classes.model_copy(update={"names": in_order(found)})
        return self.model_copy(update={"classes": named})

    def with_findings(self, found: Sequence[str] = ()) -> "Competition":
        """Returns a copy whose images may have several of the classes, or none.

        Args:
            found: the names of the findings, for a competition that names none.

        Raises:
            SettingError: it has pools, folders, or a form of submissions that is of classes.
            UnknownNameError: its metric is of classes.
        """
        values = {**self.classes.model_dump(exclude_unset=True), "multilabel": True}
        values["names"] = self.classes.names or list(found)
        try:
            changes: dict[str, object] = {"classes": Classes.model_validate(values)}
        except ValidationError as error:
            raise SettingError(
                "The table of labels has several labels an image, which [classes] does not fit. "
                f"Received: {str(error.errors()[0]['msg']).removeprefix('Value error, ')}. Leave "
                "that out."
            ) from error
        finding_metric(self.metric.name)
        form, given = self.submission.form, self.submission.model_fields_set
        if "form" in given and form not in FINDING_FORMS:
            raise SettingError(
                f"A submission of findings has a column or a line for each, or joins their names. "
                f"Received: form {form!r}. Write one of {', '.join(FINDING_FORMS)} under "
                "[submission] form."
            )
        said = {"form": COLUMN_A_CLASS, "none": self.classes.none}
        # What a sample submission says later is not what the TOML has said.
        values = {**dict(self.submission), **{name: said[name] for name in said.keys() - given}}
        changes["submission"] = SubmissionSettings.model_construct(_fields_set=set(given), **values)
        return self.model_copy(update=changes)

    def targets(self) -> list[str]:
        """Returns the target names in order."""
        return list(self.classes.targets())

    def evaluation_metric(self) -> Metric:
        """Returns the metric by which submissions, runs and ensembles are compared."""
        if self.classes.multilabel:
            are_decided = self.submission.form == JOINED
            return finding_metric(self.metric.name, OF_DECISIONS if are_decided else OF_RANKING)
        metric, positive = METRICS[self.metric.name], self.metric.positive
        return metric.for_target(self.targets().index(positive)) if positive else metric

    def target_of_class(self) -> dict[str, int]:
        """Returns the target id of each class name."""
        members = self.classes.targets().values()
        return {name: t for t, names in enumerate(members) for name in names}

    def pools(self) -> list[list[int]]:
        """Returns the class ids of each target, as `BalancedSequence` takes them."""
        ids = {name: i for i, name in enumerate(self.classes.names)}
        return [[ids[name] for name in names] for names in self.classes.targets().values()]


def preset_names() -> list[str]:
    """Returns the names of the built-in competitions."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_competition(name: str | Path) -> Competition:
    """Loads a competition by a preset's name, a TOML file, or a folder with a sub-folder per class.

    Raises:
        UnknownNameError: no such preset, file or folder; the message names the nearest presets.
        SettingError: the TOML is not valid; the message names the entry.

    >>> load_competition("demo").source.kind
    'demo'
    """
    path = Path(name)
    is_bare = str(name) in preset_names()
    if is_bare and path.is_dir() and _holds_images(path):
        raise SettingError(
            f"The name is that of a preset and of a folder of images here. Received: {name}. "
            f"Write ./{name} for the folder, or {PRESETS / f'{name}.toml'} for the preset."
        )
    if is_bare:
        return _from_toml(PRESETS / f"{name}.toml")
    if path.is_dir():
        return _from_folder(path)
    if path.suffix.lower() == ".toml":
        if not path.is_file():
            raise MissingError(
                f"The competition's TOML file does not exist. Received: {str(name)!r}. "
                "Check the path."
            )
        return _from_toml(path)
    if path.is_file():
        raise SettingError(
            f"A competition is a preset, a TOML file or a folder. Received: the file "
            f"{str(name)!r}. Unpack it if it is an archive, and name its folder; a TOML's name "
            "ends with .toml."
        )
    raise unknown_name_error("competition preset, TOML file or folder", str(name), preset_names())


def _holds_images(folder: Path) -> bool:
    """Whether a folder may be a data folder: other folders may be called like a preset."""
    return any(path.suffix.lower() in SUFFIXES for path in folder.rglob("*"))


def hashes_file(name: str, competition: Competition) -> Path | None:
    """Returns the hash list that the TOML of the competition loaded by `name` names, or None."""
    listed = competition.source.sha256sums
    folder = PRESETS if name in preset_names() else Path(name).parent
    return folder / listed if listed else None


def _from_folder(folder: Path) -> Competition:
    folder = folder.resolve()
    return Competition(
        name=re.sub(r"[^\w.-]", "-", folder.name).lstrip("._-") or "folder",
        source=Source(kind="folder"),
        metric=MetricChoice(name="balanced_accuracy"),
        folder=folder,
    )


def _from_toml(path: Path) -> Competition:
    try:
        # Editors of other systems put a byte order mark before the text.
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingError(
            f"A competition's TOML is not UTF-8. Received: {path}, byte {error.start} is "
            f"0x{error.object[error.start]:02x}. Save it again as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError(
            f"A competition's file is not TOML. Received: {path} ({error}). Correct that line."
        ) from error
    try:
        competition = Competition.model_validate(values)
    except ValidationError as error:
        raise not_valid(Competition, path, error) from error
    if competition.source.kind == "folder" and path.parent != PRESETS:
        images = (path.parent / Path(competition.source.path).expanduser()).resolve()
        return competition.model_copy(update={"images": images})
    return competition
