"""What a competition is: its TOML form, the presets, and a plain folder taken for one."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError, model_validator

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.core.submission_format import FORMS, SubmissionFormat
from kagglecxr.data.schema import Classes, Layout, Merge, MetricChoice, Source, TomlTable

PRESETS = Path(__file__).parent.parent / "competitions"


class Competition(TomlTable):
    """One competition or data set, as its TOML describes it."""

    # Python's own expressions, so that a letter is here what it is in `_of_folder`.
    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    name: Annotated[str, Field(pattern=r"^[^\W_][\w.-]*\Z")]
    title: str = ""
    source: Source
    classes: Classes = Classes()
    layout: Layout = Layout()
    merge: tuple[Merge, ...] = ()
    metric: MetricChoice = MetricChoice()
    submission: SubmissionFormat = SubmissionFormat()
    folder: Path | None = None

    @model_validator(mode="after")
    def _metric_fits_the_form(self) -> "Competition":
        metric = METRICS[self.metric.name]
        if metric.needs_probabilities and not FORMS[self.submission.form].holds_probabilities:
            raise ValueError(f"metric {metric.name!r} needs probabilities, not classes")
        positive = self.submission.positive
        if self.classes.names and positive and positive not in self.classes.targets():
            raise ValueError(f"[submission] positive is {positive!r}, which is no target")
        return self

    @model_validator(mode="after")
    def _merged_classes_are_known(self) -> "Competition":
        ours = set(self.classes.names)
        for part in self.merge:
            strange = sorted(set(part.classes.values()) - ours)
            if strange:
                raise ValueError(
                    f"[[merge]] {part.data!r} goes to {strange[0]!r}, which is not in [classes] "
                    "names"
                )
        names = [part.name for part in self.merge]
        if len(set(names)) != len(names):
            raise ValueError("[[merge]] holds two data sets of one name; give them a source each")
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
    raise unknown_name_error("competition preset, TOML file or folder", str(name), preset_names())


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
