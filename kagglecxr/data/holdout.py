"""The test set: found or drawn, with its labels hidden from training."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import write_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.matching import match_paths
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.finding_splits import hold_out_findings
from kagglecxr.data.folds import hold_out


def split_test_set(
    found: pd.DataFrame,
    sample: SampleSubmission | None,
    competition: Competition,
    workspace: Workspace,
    share: float,
    seed: int,
) -> pd.DataFrame:
    """Decides each image's split, removes the test labels, and writes solution and sample.

    If the data come without a test set, one of `share` is drawn, with whole groups, from the
    competition's own images; merged images join it only if they are in a group that does. Known
    test labels are written to the rehearsal's solution, which training never reads. If the
    competition has a sample submission, test images get its ids.
    """
    if not (found["split"] == "test").any() and share > 0:
        own = found[~found["source"].isin([part.name for part in competition.merge])]
        label, group, source = list(own["label"]), list(own["group"]), list(own["source"])
        if competition.classes.multilabel:
            names = competition.classes.of_cells(label)
            drawn = hold_out_findings(label, names, group, source, share, seed)
        else:
            drawn = hold_out(label, group, source, share, seed)
        in_test = found["group"].isin(own["group"][drawn])
        found = found.assign(split=np.where(in_test, "test", "train"))
    test = found["split"] == "test"
    found = _write_sample(found, test, sample, competition, workspace)
    solution = found.loc[test, ["id", "label", "group"]]
    if len(solution) and (solution["label"] != "").all():
        if not competition.classes.multilabel:
            targets, target = competition.targets(), competition.target_of_class()
            solution["label"] = [targets[target[label]] for label in solution["label"]]
        write_table(workspace.solution, solution)
    else:
        workspace.solution.unlink(missing_ok=True)
    return found.assign(label=found["label"].where(~test, ""))


def _write_sample(
    found: pd.DataFrame,
    test: "pd.Series[bool]",
    sample: SampleSubmission | None,
    competition: Competition,
    workspace: Workspace,
) -> pd.DataFrame:
    """Writes the sample submission; returns the images with its ids for the test set."""
    if not test.any():
        workspace.sample_submission.unlink(missing_ok=True)
    elif sample is not None:
        submission_format = competition.submission.for_targets(competition.targets())
        ids = submission_format.image_ids(list(sample.table[submission_format.id]))
        found = _with_ids_of(found, test, ids, sample.path)
        write_table(workspace.sample_submission, sample.table)
    else:
        ids, targets = list(found.loc[test, "id"]), competition.targets()
        share = 0.5 if competition.classes.multilabel else 1.0 / len(targets)
        uniform = np.full((len(ids), len(targets)), share)
        submission_format = competition.submission.for_targets(targets)
        write_table(workspace.sample_submission, submission_format.build(ids, uniform))
    return found


def _with_ids_of(
    found: pd.DataFrame, test: "pd.Series[bool]", sample_ids: list[str], path: Path
) -> pd.DataFrame:
    # The ids of a sample submission are file names with or without suffix and folder.
    image_of = match_paths(sample_ids, list(found.loc[test, "path"])).image_of
    id_of = {image: one for one, image in image_of.items()}
    named = found.loc[test, "path"].map(lambda path: id_of.get(path, ""))
    if sorted(named) != sorted(sample_ids):
        absent = sorted(set(sample_ids) - set(named))
        without_id = list(found.loc[test, "path"][named == ""])
        raise DataError(
            f"The sample submission and the test images differ. Received: {path} with "
            f"{len(sample_ids)} ids, of which {len(absent)} have no image "
            f"({shorten(absent) or '-'}), and {int(test.sum())} test images, of which "
            f"{len(without_id)} have no id ({shorten(without_id) or '-'}). Check [layout] test "
            "and sample."
        )
    found = found.copy()
    found.loc[test, "id"] = named
    return found
