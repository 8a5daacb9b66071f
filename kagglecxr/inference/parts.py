"""Which runs, folds and views an exported file is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.inference.ensemble import choose_runs

_OF_A_PLAIN_MEAN = {"runs", "metric", "out_of_fold", "submission"}


@dataclass(frozen=True)
class Parts:
    """What a file is to be made of.

    Attributes:
        name: of the file, without suffix.
        runs: folders of finished runs.
        fold: the one fold to take of each run; all where None.
        views: what the models look at; what each run's recipe says where empty.
    """

    name: str
    runs: Sequence[Path]
    fold: int | None
    views: Sequence[str]


def choose_parts(
    prepared: PreparedData,
    workspace: Workspace,
    names: Sequence[str],
    *,
    fold: int | None = None,
    views: Sequence[str] = (),
) -> Parts:
    """The parts that names of runs and ensembles stand for; the best run where there are none.

    Raises:
        UnknownNameError, MissingError: no such run, one that is not finished, or none at all.
        SettingError: an ensemble that is more than a mean of runs.
    """
    runs = choose_runs(
        prepared, workspace, [run for name in names for run in _runs_of(workspace, name)]
    )
    if len(names) == 1:
        (name,) = names
    else:
        own = [run.name for run in runs]
        name = own[0] if len(own) == 1 else f"mean-{digest(own)[:8]}"
    ending = "" if fold is None else f"-fold-{fold}"
    return Parts(f"{prepared.competition.name}-{name}{ending}", runs, fold, tuple(views))


def _runs_of(workspace: Workspace, name: str) -> list[str]:
    """The runs of an ensemble, or the run itself."""
    run, blend = workspace.runs / name, workspace.ensembles / name / "blend.json"
    if (run / "run.json").is_file():
        return [name]
    if blend.is_file():
        return _blended(blend)
    if run.is_dir():
        raise MissingError(
            f"A run is not finished. Received: {run}. Run the command that trained it again: it "
            "goes on where it was."
        )
    return [name]


def _blended(blend: Path) -> list[str]:
    try:
        values = read_json(blend)
        runs = [str(run) for run in values["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"An ensemble's record cannot be read. Received: {blend} ({error}). Make that "
            "ensemble again."
        ) from error
    more = sorted(values.keys() - _OF_A_PLAIN_MEAN)
    if more:
        raise SettingError(
            f"An ensemble is more than the mean of its runs. Received: {', '.join(more)} in "
            f"{blend}. Name the runs to export."
        )
    return runs
