"""Where the working files of one competition lie."""

from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import MissingError
from kagglecxr.core.registry import unknown_name_error


@dataclass(frozen=True)
class Workspace:
    """The folder of one competition's working files (`work/<competition>/` unless told)."""

    root: Path
    competition: str

    @classmethod
    def of(cls, competition: str, work: Path | None) -> "Workspace":
        """The workspace of a competition, at `work` or at its default place."""
        return cls(work or Path("work") / competition, competition)

    @property
    def raw(self) -> Path:
        """The data as they were downloaded."""
        return self.root / "raw"

    @property
    def index(self) -> Path:
        """One line an image."""
        return self.root / "index.csv"

    @property
    def folds(self) -> Path:
        """The fold of each training image."""
        return self.root / "folds.csv"

    @property
    def duplicates(self) -> Path:
        """Images that are copies, or nearly, of one another."""
        return self.root / "duplicates.csv"

    @property
    def leaks(self) -> Path:
        """What was found that leaks between images, to be read."""
        return self.root / "leaks.md"

    @property
    def left_out(self) -> Path:
        """The training images that are not trained on since they leak, and why."""
        return self.root / "left_out.csv"

    @property
    def cache(self) -> Path:
        """Decoded images, one folder a (data, pipeline, size)."""
        return self.root / "cache"

    @property
    def prepared(self) -> Path:
        """What `prepare` was asked for and which cache holds its images; written last."""
        return self.root / "prepare.json"

    @property
    def sample_submission(self) -> Path:
        """A submission in the leaderboard's form, with the ids it wants."""
        return self.root / "sample_submission.csv"

    @property
    def solution(self) -> Path:
        """The rehearsal test part's labels, which only the rehearsal leaderboard reads."""
        return self.root / "rehearsal" / "solution.csv"

    @property
    def ensembles(self) -> Path:
        """One folder a blend."""
        return self.root / "ensemble"

    @property
    def runs(self) -> Path:
        """One folder a training run."""
        return self.root / "runs"

    @property
    def kaggle(self) -> Path:
        """What goes to Kaggle, and what came from there: wheels, packed runs, kernels' output."""
        return self.root / "kaggle"

    @property
    def studies(self) -> Path:
        """One folder a search for a recipe."""
        return self.root / "studies"

    @property
    def recipes(self) -> Path:
        """The recipes that were found by searches, one TOML file each."""
        return self.root / "recipes"

    def run(self, name: str) -> Path:
        """The folder of a run that exists.

        Raises:
            UnknownNameError: no run has that name.
        """
        if not (self.runs / name / "run.json").is_file():
            known = [path.parent.name for path in self.runs.glob("*/run.json")]
            if not known:
                raise MissingError(
                    f"No finished run was found. Looked in: {self.runs}. "
                    f"Train one first: python -m kagglecxr.train {self.competition}"
                )
            raise unknown_name_error("run", name, known)
        return self.runs / name

    def require(self, path: Path, verb: str) -> Path:
        """The path itself, if the step that writes it has been run.

        Raises:
            MissingError: it has not; the sentence names the verb to run.
        """
        if not path.exists():
            raise MissingError(
                f"A file that `{verb}` writes is not there. Looked for: {path}. "
                f"Run: python -m kagglecxr.{verb} {self.competition}"
            )
        return path
