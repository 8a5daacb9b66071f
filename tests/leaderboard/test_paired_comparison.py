"""Two runs, ensembles or submissions are found by name and compared on the same images."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, MissingError, SubmissionError, UnknownNameError
from kagglecxr.core.files import write_json, write_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.competition import Competition
from kagglecxr.data.index import COLUMNS, Index
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.schema import Classes, MetricChoice, Source, SubmissionSettings
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.paired_comparison import compare_two
from tests.reports.conftest import RECORD

TARGETS = ["normal", "pneumonia"]
IMAGES = 12
TRUTH = np.arange(IMAGES) % 2
TRAIN, TEST = ([f"{part}{k:02}" for k in range(IMAGES)] for part in ("train", "test"))


def answers(wrong: int) -> npt.NDArray[np.float32]:
    """Predictions of which the first `wrong` are wrong."""
    decided = np.where(np.arange(IMAGES) < wrong, 1 - TRUTH, TRUTH)
    return np.asarray(0.6 * np.eye(2)[decided] + 0.2, np.float32)


@dataclass(frozen=True)
class Arena:
    """A competition of two targets, with a rehearsal test set."""

    prepared: PreparedData
    workspace: Workspace
    submissions: Path

    def add_run(
        self,
        name: str,
        oof: int | None = None,
        test: int | None = None,
        targets: list[str] = TARGETS,
    ) -> Path:
        """Writes a run with so many errors out of fold and on the test set."""
        run = self.workspace.runs / name
        replace(RECORD, name=name, targets=targets).write(run)
        self.predict(run, oof, test)
        return run

    def add_ensemble(self, name: str, oof: int | None = None, test: int | None = None) -> None:
        """Writes an ensemble likewise."""
        write_json(self.workspace.ensembles / name / "blend.json", {"runs": []})
        self.predict(self.workspace.ensembles / name, oof, test)

    def predict(self, folder: Path, oof: int | None, test: int | None) -> None:
        """Writes the predictions into a folder, in reverse order."""
        for file, ids, wrong, truth in (
            ("oof.npz", TRAIN, oof, TRUTH),
            ("test.npz", TEST, test, np.full(IMAGES, -1)),
        ):
            if wrong is not None:
                whole = Predictions(np.array(ids), answers(wrong), truth)
                Predictions(whole.ids[::-1], whole.probabilities[::-1], truth[::-1]).save(
                    folder / file
                )

    def submit(self, name: str, wrong: int) -> Path:
        """Writes a submission with so many errors."""
        competition = self.prepared.competition
        submission_format = competition.submission.for_targets(TARGETS)
        file = self.submissions / name
        write_table(file, submission_format.build(TEST, answers(wrong)))
        return file

    def compare(self, a: str, b: str) -> str:
        return compare_two(self.prepared, self.workspace, (a, b), self.submissions, 0)


MakeArena = Callable[..., Arena]


@pytest.fixture
def make_arena(tmp_path: Path) -> MakeArena:
    def make(metric: str = "balanced_accuracy", group_size: int = 1) -> Arena:
        competition = Competition(
            name="xrays",
            source=Source(kind="demo"),
            classes=Classes(names=TARGETS),
            metric=MetricChoice(name=metric),
            submission=SubmissionSettings(form="probability"),
        )
        table = pd.DataFrame("", index=range(2 * IMAGES), columns=COLUMNS)
        table["id"] = table["path"] = TRAIN + TEST
        table["split"] = ["train"] * IMAGES + ["test"] * IMAGES
        table["label"] = [TARGETS[k] for k in TRUTH] + [""] * IMAGES
        table["group"] = [f"g{row // group_size}" for row in range(2 * IMAGES)]
        fold = np.zeros(IMAGES, np.intp)
        cache = Mock(spec=Cache)
        prepared = PreparedData(competition, Index(table), fold, cache, tmp_path, ("", ""))
        arena = Arena(prepared, Workspace(tmp_path / "work", "xrays"), tmp_path / "submissions")
        solution = table[table["split"] == "test"][["id", "label", "group"]].assign(
            label=[TARGETS[k] for k in TRUTH]
        )
        write_table(arena.workspace.solution, solution.iloc[::-1])
        sample = competition.submission.for_targets(TARGETS).build(TEST, answers(0))
        write_table(arena.workspace.sample_submission, sample)
        return arena

    return make


@pytest.fixture
def arena(make_arena: MakeArena) -> Arena:
    return make_arena()


def test_two_runs_are_compared_on_the_rehearsal_test_set(arena: Arena) -> None:
    arena.add_run("good", oof=9, test=0)
    arena.add_run("bad", oof=0, test=9)
    verdict, mcnemar = arena.compare("good", "bad").splitlines()
    assert re.fullmatch(
        r"On the rehearsal test set: good is better than bad by 0\.7500 balanced accuracy "
        r"\(95 % interval 0\.\d{4} to 1\.0000, p = 0\.00\d, 12 images\): more than luck\.",
        verdict,
    )
    assert mcnemar == (
        "McNemar's test: good alone is right on 9 images, bad alone on 0, p = 0.004."
    )
    swapped = arena.compare("bad", "good").splitlines()
    assert swapped[0] == verdict


def test_without_predictions_of_the_test_set_they_are_compared_out_of_fold(arena: Arena) -> None:
    arena.add_run("good", oof=0, test=0)
    arena.add_run("bad", oof=1)
    assert arena.compare("good", "bad").startswith("Out of fold: good is ahead of bad by 0.0833")


def test_without_a_rehearsal_runs_are_compared_out_of_fold(arena: Arena) -> None:
    arena.workspace.solution.unlink()
    arena.add_run("good", oof=0, test=0)
    arena.add_run("bad", oof=1, test=0)
    assert arena.compare("good", "bad").startswith("Out of fold: ")


@pytest.mark.parametrize("part", ["test", "oof"])
def test_images_of_a_group_are_resampled_together_and_no_test_of_single_images_is_made(
    part: str, make_arena: MakeArena
) -> None:
    arena = make_arena(group_size=3)
    arena.add_run("good", **{part: 0})
    arena.add_run("bad", **{part: 3})
    (text,) = arena.compare("good", "bad").splitlines()
    assert "12 images in 4 groups" in text


def test_a_run_an_ensemble_and_a_submission_are_compared_by_name_or_path(arena: Arena) -> None:
    arena.add_run("run", test=4)
    arena.add_ensemble("mean-12ab", test=2)
    file = arena.submit("xrays-sent.csv", 1)
    assert "mean-12ab is ahead of run by 0.1667" in arena.compare("run", "mean-12ab")
    for name in ("xrays-sent.csv", "xrays-sent", str(file)):
        assert f"{name} is ahead of run by 0.2500" in arena.compare("run", name)


def test_a_submission_and_the_run_that_wrote_it_are_the_same(arena: Arena) -> None:
    arena.add_run("run", test=4)
    arena.submit("xrays-run.csv", 4)
    assert "run and xrays-run have the same balanced accuracy, 0.6667" in arena.compare(
        "run", "xrays-run"
    )


def test_the_areas_of_two_targets_are_compared_by_delong_too(make_arena: MakeArena) -> None:
    arena = make_arena("auc")
    arena.add_run("good", test=1)
    arena.add_run("bad", test=5)
    verdict, delong = arena.compare("good", "bad").splitlines()
    # Of the good run one normal image ties with all 6 others: (30 + 6 / 2) / 36. Of the bad run 3
    # normal and 2 other images are wrong: (3 * 4 + (3 * 2 + 3 * 4) / 2) / 36.
    assert "good is ahead of bad by" in verdict
    assert delong.startswith("DeLong's test: the AUC is 0.9167 for good and 0.5833 for bad, ")


def test_the_loss_has_no_test_of_single_images(make_arena: MakeArena) -> None:
    arena = make_arena("log_loss")
    arena.add_run("good", test=1)
    arena.add_run("bad", test=5)
    assert len(arena.compare("good", "bad").splitlines()) == 1


def test_the_metric_is_that_of_the_positive_target(make_arena: MakeArena) -> None:
    arena = make_arena("recall")
    prepared = arena.prepared
    # The first image is normal: its error lowers the recall of that target alone.
    choice = MetricChoice(name="recall", positive="normal")
    competition = prepared.competition.model_copy(update={"metric": choice})
    arena = replace(arena, prepared=replace(prepared, competition=competition))
    arena.add_run("good", test=0)
    arena.add_run("bad", test=1)
    assert "good is ahead of bad by 0.1667 recall" in arena.compare("good", "bad")


def test_an_unknown_name_is_answered_with_the_nearest(arena: Arena) -> None:
    with pytest.raises(MissingError, match=r"kagglecxr\.train xrays"):
        arena.compare("a", "b")
    arena.add_run("cnn-01", test=1)
    arena.submit("xrays-cnn-01.csv", 1)
    with pytest.raises(UnknownNameError, match=r"run, ensemble or submission.*'cnn-02'.*cnn-01"):
        arena.compare("cnn-01", "cnn-02")


def test_the_command_that_predicts_the_test_set_is_named(arena: Arena) -> None:
    arena.add_run("run", oof=1)
    arena.submit("xrays-sent.csv", 1)
    with pytest.raises(MissingError, match=r"run has no.*Run: .*kagglecxr\.ensemble xrays run"):
        arena.compare("run", "xrays-sent")


def test_without_a_rehearsal_a_submission_cannot_be_compared(arena: Arena) -> None:
    arena.workspace.solution.unlink()
    arena.add_run("run", oof=1, test=1)
    arena.submit("xrays-sent.csv", 1)
    with pytest.raises(MissingError, match=r"no rehearsal test set.*prepare xrays --test=0\.2"):
        arena.compare("run", "xrays-sent")


def test_predictions_of_other_images_are_refused(arena: Arena) -> None:
    run = arena.add_run("run", oof=1, test=1)
    arena.add_run("other", oof=1, test=1)
    part = Predictions.load(run / "test.npz")
    Predictions(part.ids[1:], part.probabilities[1:], part.truth[1:]).save(run / "test.npz")
    with pytest.raises(DataError, match=r"11 images in .*Run: .*kagglecxr\.ensemble xrays run"):
        arena.compare("other", "run")


def test_out_of_fold_predictions_of_other_labels_are_refused(arena: Arena) -> None:
    run = arena.add_run("run", oof=1)
    arena.add_run("other", oof=1)
    part = Predictions.load(run / "oof.npz")
    replace(part, truth=1 - part.truth).save(run / "oof.npz")
    with pytest.raises(DataError, match=r"run has predicted other images or labels.*Train again"):
        arena.compare("other", "run")


def test_runs_of_other_targets_are_refused(arena: Arena) -> None:
    arena.add_run("other", test=1, targets=TARGETS[::-1])
    arena.add_run("run", test=1)
    with pytest.raises(DataError, match="other predicts other targets"):
        arena.compare("run", "other")


def test_a_submission_in_another_form_is_refused(arena: Arena) -> None:
    arena.add_run("run", test=1)
    arena.submit("xrays-sent.csv", 1).write_text("id,answer\ntest00,1\n")
    with pytest.raises(SubmissionError, match="columns are wrong"):
        arena.compare("run", "xrays-sent")


def test_labels_of_the_test_set_that_are_no_target_are_named(arena: Arena) -> None:
    for name in ("a", "b"):
        arena.add_run(name, test=1)
    text = arena.workspace.solution.read_text().replace("pneumonia", "covid")
    arena.workspace.solution.write_text(text)
    with pytest.raises(DataError, match=r"no target. Received: covid in .*kagglecxr\.prepare"):
        arena.compare("a", "b")
