"""The files and folders of one competition's workspace."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.errors import MissingError
from kagglecxr.core.registry import unknown_name_error


class _PathInWorkspace:
    """A path below the workspace's root, as a read-only attribute."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, workspace: "Workspace", owner: type["Workspace"]) -> Path:
        return workspace.root / self._path


@dataclass(frozen=True)
class Workspace:
    """The folder of one competition's working files; defaults to `work/<competition>/`.

    Attributes:
        competition: its name.
        given: what the user named it by: a preset, TOML file or folder; its name if unknown.
    """

    root: Path
    competition: str
    given: str = field(default="", compare=False)

    raw = _PathInWorkspace("raw")
    """The downloaded data."""
    index = _PathInWorkspace("index.csv")
    """One row per image."""
    folds = _PathInWorkspace("folds.csv")
    """The fold of each training image."""
    duplicates = _PathInWorkspace("duplicates.csv")
    """Pairs of identical or nearly identical images."""
    leaks = _PathInWorkspace("leaks.md")
    """A report of data leakage between images."""
    left_out = _PathInWorkspace("left_out.csv")
    """Training images that are left out because they leak, and why."""
    cache = _PathInWorkspace("cache")
    """Decoded images, one folder per (data, pipeline, size)."""
    prepared = _PathInWorkspace("prepare.json")
    """The options of `prepare` and the cache it made; written last."""
    sample_submission = _PathInWorkspace("sample_submission.csv")
    """A submission in the leaderboard's format, with its ids."""
    solution = _PathInWorkspace("rehearsal/solution.csv")
    """The labels of the rehearsal test set, read by the rehearsal leaderboard only."""
    masks = _PathInWorkspace("masks")
    """Predicted lung masks, and flags.csv."""
    ensembles = _PathInWorkspace("ensemble")
    """One folder per ensemble."""
    runs = _PathInWorkspace("runs")
    """One folder per training run."""
    kaggle = _PathInWorkspace("kaggle")
    """Files to and from Kaggle: wheels, packed runs, kernels' output."""
    explanations = _PathInWorkspace("explain")
    """Pictures of what models look at, one folder per run or ensemble."""
    audits = _PathInWorkspace("audit")
    """What runs read, one folder per run."""
    studies = _PathInWorkspace("studies")
    """One folder per hyperparameter search."""
    recipes = _PathInWorkspace("recipes")
    """Recipes found by searches, one TOML file each."""

    @classmethod
    def of(cls, competition: str, work: Path | None, given: str = "") -> "Workspace":
        """Returns the workspace of a competition at `work` or at the default folder."""
        return cls(work or cls._default(competition), competition, given)

    @staticmethod
    def _default(competition: str) -> Path:
        return Path("work") / competition

    def command(self, verb: str, *words: str | Path) -> str:
        """Returns a verb's command for this workspace, as it can be pasted into a shell."""
        place = [] if self.root == self._default(self.competition) else ["--work", self.root]
        named = self.given or self.competition
        return shlex.join(
            ["python", "-m", f"kagglecxr.{verb}", named, *map(str, words), *map(str, place)]
        )

    def run(self, name: str) -> Path:
        """Returns the folder of a finished run.

        Raises:
            UnknownNameError: no run has that name.
            MissingError: there is no run at all.
        """
        if not (self.runs / name / "run.json").is_file():
            known = [path.parent.name for path in self.runs.glob("*/run.json")]
            if not known:
                raise MissingError(
                    f"No finished run was found. Looked in: {self.runs}. "
                    f"Train one first: {self.command('train')}"
                )
            raise unknown_name_error("run", name, known)
        return self.runs / name

    def require(self, path: Path, verb: str) -> Path:
        """Returns the path if it exists.

        Raises:
            MissingError: it does not; the message names the verb that writes it.
        """
        if not path.exists():
            raise MissingError(
                f"A file that `{verb}` writes does not exist. Looked for: {path}. "
                f"Run: {self.command(verb)}"
            )
        return path
