"""The part that is predicted for the leaderboard: found or put aside, its labels hidden."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.folds import hold_out
from kagglecxr.data.images.image import name_without_suffix


def split_test_set(
    found: pd.DataFrame,
    root: Path,
    competition: Competition,
    workspace: Workspace,
    share: float,
    seed: int,
) -> pd.DataFrame:
    """The images with their split decided and every test label taken out.

    Where the data bring no test part, a group-disjoint one of `share` is put aside. It is drawn
    from the competition's own images; a merged one joins it only with a group that it belongs to,
    as a copy of an image in it does. Labels that are known of a test part go to the rehearsal's
    solution, which training never reads. Writes the solution and the sample submission.

    Args:
        found: `id,label,split,group,source,...`, one line an image.
        root: the data folder, which may hold the competition's own sample submission.
        competition: its description, class names filled in.
        workspace: where the two files go.
        share: of the images, for a part put aside; 0 for none.
        seed: fixes the split.
    """
    if not (found["split"] == "test").any() and share > 0:
        own = found[~found["source"].isin([part.name for part in competition.merge])]
        held_out = hold_out(
            list(own["label"]), list(own["group"]), list(own["source"]), share, seed
        )
        in_test = found["group"].isin(own["group"][held_out])
        found = found.assign(split=np.where(in_test, "test", "train"))
    test = found["split"] == "test"
    found = _with_sample(found, test, root, competition, workspace)
    solution = found.loc[test, ["id", "label", "group"]]
    if len(solution) and (solution["label"] != "").all():
        names = competition.targets()
        target = competition.target_of_class()
        known = [names[target[label]] for label in solution["label"]]
        write_table(workspace.solution, solution.assign(label=known))
    else:
        workspace.solution.unlink(missing_ok=True)
    return found.assign(label=found["label"].where(~test, ""))


def _with_sample(
    found: pd.DataFrame,
    test: "pd.Series[bool]",
    root: Path,
    competition: Competition,
    workspace: Workspace,
) -> pd.DataFrame:
    """Writes the sample submission; test images take the ids of the competition's own."""
    own = root / competition.layout.sample
    if not test.any():
        workspace.sample_submission.unlink(missing_ok=True)
    elif competition.layout.sample and own.is_file():
        sample = read_table(own)
        found = _with_ids_of(found, test, sample, own)
        write_table(workspace.sample_submission, sample)
    else:
        ids, targets = list(found.loc[test, "id"]), competition.targets()
        even = np.full((len(ids), len(targets)), 1.0 / len(targets))
        write_table(workspace.sample_submission, competition.submission.build(ids, even, targets))
    return found


def _with_ids_of(
    found: pd.DataFrame, test: "pd.Series[bool]", sample: pd.DataFrame, own: Path
) -> pd.DataFrame:
    # A sample submission names an image with or without its suffix, with or without its folder.
    ids = {name_without_suffix(name): name for name in sample.iloc[:, 0]}
    named = found.loc[test, "path"].map(lambda path: ids.get(name_without_suffix(path), ""))
    if sorted(named) != sorted(sample.iloc[:, 0]):
        absent = sorted(set(sample.iloc[:, 0]) - set(named))
        raise DataError(
            f"The sample submission and the test images differ. Received: {own} with "
            f"{len(sample)} ids, {int(test.sum())} test images, no image for "
            f"{shorten(absent) or 'none'}. Check [layout] test, or download the data again."
        )
    found = found.copy()
    found.loc[test, "id"] = named
    return found
