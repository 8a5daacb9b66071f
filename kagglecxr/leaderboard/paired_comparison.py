"""Compares two runs, ensembles or submissions: is one better than the other, or is it luck?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError, MissingError, SubmissionError
from kagglecxr.core.files import file_digest
from kagglecxr.core.independent_tests import delong, mcnemar
from kagglecxr.core.metrics import Metric, Probabilities
from kagglecxr.core.paired_tests import compare_paired
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.core.run_record import OOF, TEST, finished_runs, read_run
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.ledger import LedgerEntry
from kagglecxr.leaderboard.solution import LabelledImages, read_solution, read_submission


@dataclass(frozen=True)
class Contender:
    """What can be compared.

    Attributes:
        path: the folder of a run or an ensemble, or a submission's file.
    """

    name: str
    path: Path

    def predicts(self, part: str) -> bool:
        """Whether it has these predictions; a submission has those of the test set alone."""
        return (self.path / part).is_file() if self.path.is_dir() else part == TEST


def compare_two(
    prepared: PreparedData,
    workspace: Workspace,
    names: tuple[str, str],
    submissions: Path,
    seed: int,
) -> str:
    """Compares two runs, ensembles or submissions by the competition's metric.

    They are compared on the rehearsal test set if both have predictions of it, else out of fold.
    A submission is named by its path, or by its name in the folder `submissions`.

    Returns:
        The verdict in one sentence; where every group is a single image, a line with McNemar's
        test or, for the AUC of two targets, DeLong's.

    Raises:
        UnknownNameError: there is no such run, ensemble or submission.
        MissingError: one has no predictions of images that the other has predicted.
        DataError: the predictions are of other images, labels or targets than those prepared.
        SubmissionError: a submission is not in the sample submission's form.
    """
    pair = [_find(name, workspace, submissions) for name in names]
    on_test = workspace.solution.is_file() and all(one.predicts(TEST) for one in pair)
    if not on_test and all(one.predicts(OOF) for one in pair):
        where, part, images = "Out of fold", OOF, _training_images(prepared)
    else:
        where, part = "On the rehearsal test set", TEST
        images = read_solution(workspace, prepared.competition.classes)
    a, b = (_probabilities(one, part, images, prepared, workspace) for one in pair)
    metric = prepared.competition.evaluation_metric()
    random = generator(seed, "compare")
    result = compare_paired(metric, images.truth, a, b, images.groups, random)
    lines = [f"{where}: {result.sentence(*names)}"]
    if result.groups == result.images and not prepared.competition.classes.multilabel:
        lines += _test_of_single_images(metric, images, a, b, names)
    return "\n".join(lines)


def compare_with_entry(
    entry: LedgerEntry,
    file: Path,
    competition: Competition,
    workspace: Workspace,
    seed: int,
) -> str:
    """Says in one sentence whether a valid submission is better than one in the ledger.

    Returns:
        The sentence; empty if the earlier file is gone, has changed, or is not valid any more.
    """
    earlier = Path(entry.file)
    if not earlier.is_file() or file_digest(earlier) != entry.sha256:
        return ""
    images = read_solution(workspace, competition.classes)
    try:
        b = read_submission(earlier, competition, workspace, images.ids)
    except SubmissionError:
        return ""
    a = read_submission(file, competition, workspace, images.ids)
    metric, random = competition.evaluation_metric(), generator(seed, "compare")
    result = compare_paired(metric, images.truth, a, b, images.groups, random)
    return result.sentence(file.name, earlier.name)


def _find(name: str, workspace: Workspace, submissions: Path) -> Contender:
    """Finds a run, an ensemble or a submission, in this order."""
    for folder, record in ((workspace.runs, "run.json"), (workspace.ensembles, "blend.json")):
        if (folder / name / record).is_file():
            return Contender(name, folder / name)
    for file in (Path(name), submissions / name, submissions / f"{name}.csv"):
        if file.is_file():
            return Contender(name, file)
    known = [
        *(run.name for run in finished_runs(workspace.runs)),
        *(path.parent.name for path in workspace.ensembles.glob("*/blend.json")),
        *(path.name for path in submissions.glob(f"{workspace.competition}-*.csv")),
    ]
    if not known:
        raise MissingError(
            f"There is no run, ensemble or submission to compare. Received: {name!r}. "
            f"Run: {workspace.command('train')}"
        )
    raise unknown_name_error("run, ensemble or submission", name, known)


def _training_images(prepared: PreparedData) -> LabelledImages:
    rows = prepared.index.rows("train")
    ids = prepared.index.column("id", rows)
    return LabelledImages(ids, prepared.truth(), prepared.groups())


def _probabilities(
    one: Contender, part: str, images: LabelledImages, prepared: PreparedData, workspace: Workspace
) -> Probabilities:
    if one.path.is_file():
        return read_submission(one.path, prepared.competition, workspace, images.ids)
    file, targets = one.path / part, prepared.competition.targets()
    again = workspace.command("ensemble", one.name)
    if not file.is_file():
        raise MissingError(
            f"{one.name} has no predictions of the test set. Looked for: {file}. Run: {again}"
        )
    predictions = Predictions.load(file)
    is_run = (one.path / "run.json").is_file()
    own = read_run(one.path).targets if is_run else targets
    if own != targets or predictions.probabilities.shape[1] != len(targets):
        raise DataError(
            f"{one.name} predicts other targets. Received: {predictions.probabilities.shape[1]} "
            f"targets in {file}, the competition has {', '.join(targets)}. Train again."
        )
    truth = dict(zip(predictions.ids.tolist(), predictions.truth.tolist(), strict=True))
    wanted = dict(zip(images.ids, images.truth.tolist(), strict=True))
    if truth.keys() != wanted.keys() or (part == OOF and truth != wanted):
        act = "Train again." if part == OOF else f"Run: {again}"
        raise DataError(
            f"{one.name} has predicted other images or labels than those prepared now. Received: "
            f"{len(truth)} images in {file}, prepared are {len(wanted)}. {act}"
        )
    return predictions.of(images.ids)


def _test_of_single_images(
    metric: Metric,
    images: LabelledImages,
    a: Probabilities,
    b: Probabilities,
    names: tuple[str, str],
) -> list[str]:
    """A second test where images are independent: of the errors, or of the AUC of two targets."""
    truth, groups = images.truth, images.groups
    if not metric.needs_probabilities:
        return [mcnemar(truth, a, b, groups).sentence(*names)]
    if metric.name == "auc" and a.shape[1] == 2 and np.bincount(truth, minlength=2).min() > 1:
        return [delong(truth == 1, a[:, 1], b[:, 1], groups).sentence(*names)]
    return []
