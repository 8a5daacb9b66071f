"""What can be known of a submission before it is sent."""

from pathlib import Path

from kagglecxr.core.errors import MissingError
from kagglecxr.core.files import read_json
from kagglecxr.core.workspace import Workspace


def find_sample(workspace: Workspace, named: str) -> Path:
    """The competition's sample submission: as `prepare` wrote it, or among the data.

    Args:
        workspace: the competition's.
        named: its path below the data, where the competition's TOML tells it.

    Raises:
        MissingError: there is none, or there are several.
    """
    if workspace.sample_submission.is_file():
        return workspace.sample_submission
    if named and (workspace.raw / named).is_file():
        return workspace.raw / named
    found = sorted(
        path for path in workspace.raw.rglob("*.csv") if "sample" in path.stem.lower()
        and "submission" in path.stem.lower()
    )  # fmt: skip
    if len(found) != 1:
        what = "several sample submissions" if found else "no sample submission"
        raise MissingError(
            f"There is {what} to check against. Looked in: {workspace.root}. Run: python -m "
            f"kagglecxr.download {workspace.competition}, and name it under [layout] sample if "
            "there are several."
        )
    return found[0]


def out_of_fold_score(workspace: Workspace, file: Path) -> str:
    """The out-of-fold score of the blend that wrote a submission; empty where it is not known."""
    for path in sorted(workspace.ensembles.glob("*/blend.json")):
        blend = read_json(path)
        if Path(blend["submission"]).name == file.name and blend["out_of_fold"] is not None:
            return f"{blend['out_of_fold']:.6f}"
    return ""
