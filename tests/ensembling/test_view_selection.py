"""Views of several runs are judged together."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.data.index import write_folds
from kagglecxr.ensembling.view_judgement import ViewsJudgement
from kagglecxr.ensembling.view_selection import choose_views
from kagglecxr.inference.members import make_member
from kagglecxr.inference.tta import VIEW_SETS
from tests.conftest import PreparedDemo, copy_demo
from tests.inference.random_runs import random_run


def test_views_of_runs_are_judged_together_and_shown_in_a_table(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    own = copy_demo(demo, tmp_path)
    prepared, members = own.prepared, []
    for seed in (1, 2):
        run = random_run(own, f"run-{seed}", seed=seed, folds=3)
        ids = prepared.index.column("id", prepared.index.rows("train"))
        write_folds(run / "folds.csv", ids, prepared.fold)
        members.append(make_member(run, read_run(run)))

    def choose(*sets: str) -> ViewsJudgement:
        random = np.random.default_rng(0)
        return choose_views(members, prepared, own.workspace, sets, random, Silent())

    judged = choose("rotations", "hflip")
    chosen, table = judged.chosen, judged.table
    assert table["views"].tolist() == ["none", "hflip", "rotations"]
    assert table["number"].tolist() == [len(VIEW_SETS[name]) for name in table["views"]]
    assert table.loc[table["chosen"], "views"].tolist() == [chosen]
    gains = table["score"] - table["score"][0]
    np.testing.assert_allclose(table["gain"][1:], gains[1:])
    with pytest.raises(UnknownNameError, match=r"set of views.*'rotation'"):
        choose("rotation")
