"""The rehearsal leaderboard: scores, ranks, and what it writes to the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn import metrics as scores

from kagglecxr.core.errors import MissingError, SubmissionError
from kagglecxr.core.files import file_digest, read_table, write_table
from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.schema import Classes, MetricChoice, Source, SubmissionSettings
from kagglecxr.leaderboard.ledger import REHEARSED, LedgerEntry, read_ledger, write_ledger
from kagglecxr.leaderboard.rehearsal import (
    RehearsalResult,
    describe_rehearsal,
    rehearse,
)

Probabilities = npt.NDArray[np.float64]

TARGETS = ["covid-19", "normal", "viral-pneumonia"]
TRUTH = [0, 0, 0, 1, 1, 1, 1, 2, 2]
IDS = [f"i{k}" for k in range(len(TRUTH))]
ALL_RIGHT = np.eye(3)[TRUTH]
SHARE = Metric("share", lambda truth, given: float((given.argmax(axis=1) == truth).mean()))
"""The accuracy, without the hundreds of calls to scikit-learn that a bootstrap would make."""


@pytest.fixture(scope="module", autouse=True)
def share() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METRICS._entries, SHARE.name, SHARE)
        yield


def predictions(decided: list[int]) -> Probabilities:
    return np.eye(3)[decided]


def with_errors(count: int) -> Probabilities:
    """Predictions of which the first `count` are wrong."""
    return predictions([(k + 1) % 3 if i < count else k for i, k in enumerate(TRUTH)])


@dataclass(frozen=True)
class Rehearsal:
    """A competition on a workspace, whose submissions are scored."""

    competition: Competition
    workspace: Workspace
    ledger: Path

    def lay_out(self, groups: list[str] | None = None) -> None:
        """Writes the rehearsal's solution, and the sample submission."""
        labels = [TARGETS[k] for k in TRUTH]
        solution = pd.DataFrame({"id": IDS, "label": labels, "group": groups or IDS})
        write_table(self.workspace.solution, solution)
        write_table(self.workspace.sample_submission, self.built(np.full((len(IDS), 3), 1 / 3)))

    def built(self, given: Probabilities) -> pd.DataFrame:
        """The submission for probabilities."""
        return self.competition.submission.for_targets(TARGETS).build(IDS, given)

    def submit(
        self,
        name: str,
        given: Probabilities,
        *,
        time: str = "t",
        again: bool = False,
        baselines: dict[str, Probabilities] | None = None,
    ) -> RehearsalResult:
        """Writes a submission and has it scored."""
        file = self.ledger.parent / name
        write_table(file, self.built(given))
        return self.rehearse(file, time=time, again=again, baselines=baselines)

    def rehearse(
        self,
        file: Path,
        *,
        time: str = "t",
        message: str = "",
        again: bool = False,
        baselines: dict[str, Probabilities] | None = None,
    ) -> RehearsalResult:
        """Has a file scored."""
        return rehearse(
            file, self.competition, self.workspace, self.ledger, baselines or {},
            time=time, message=message, again=again,
        )  # fmt: skip


def laid_out(root: Path, form: str = "class", metric: str = SHARE.name) -> Rehearsal:
    competition = Competition(
        name="demo",
        source=Source(kind="demo"),
        classes=Classes(names=TARGETS),
        metric=MetricChoice(name=metric),
        submission=SubmissionSettings(form=form),
    )
    rehearsal = Rehearsal(competition, Workspace(root / "work", "demo"), root / "s" / "ledger.csv")
    rehearsal.lay_out()
    return rehearsal


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    return laid_out(tmp_path)


def places(result: RehearsalResult) -> list[tuple[int, str]]:
    return [(line.rank, line.name) for line in result.board]


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "log_loss"])
def test_the_score_is_scikit_learns(name: str, tmp_path: Path) -> None:
    rehearsal = laid_out(tmp_path, "one_column_a_class", name)
    given = np.random.default_rng(0).dirichlet([1, 1, 1], len(IDS))
    decided = given.argmax(axis=1)
    result = rehearsal.submit("demo-a.csv", given)
    expected = {
        "accuracy": scores.accuracy_score(TRUTH, decided),
        "balanced_accuracy": scores.balanced_accuracy_score(TRUTH, decided),
        "log_loss": scores.log_loss(TRUTH, given),
    }
    assert result.interval.score == pytest.approx(expected[name])
    assert result.interval.low < result.interval.score < result.interval.high


def test_the_ids_of_the_errors_are_listed(rehearsal: Rehearsal) -> None:
    result = rehearsal.submit("demo-a.csv", with_errors(2))
    assert result.errors == ["i0", "i1"]
    assert result.images == 9
    assert result.interval.score == pytest.approx(7 / 9)


def test_the_order_of_the_lines_does_not_matter(rehearsal: Rehearsal) -> None:
    first = rehearsal.submit("demo-a.csv", with_errors(3))
    table = rehearsal.built(with_errors(3))
    file = rehearsal.ledger.parent / "demo-b.csv"
    order = list(range(len(IDS)))
    Random(0).shuffle(order)
    write_table(file, table.iloc[order])
    result = rehearsal.rehearse(file)
    assert result.interval == first.interval
    assert result.errors == first.errors


def test_the_order_of_the_solution_need_not_be_the_samples(rehearsal: Rehearsal) -> None:
    solution = rehearsal.workspace.solution
    write_table(solution, read_table(solution).iloc[::-1])
    baselines = {"strong": with_errors(1)[::-1]}
    result = rehearsal.submit("demo-a.csv", with_errors(2), baselines=baselines)
    assert [line.score for line in result.board] == pytest.approx([8 / 9, 7 / 9])
    assert result.errors == ["i1", "i0"]


def test_patients_with_equal_images_make_the_score_less_sure(rehearsal: Rehearsal) -> None:
    given = with_errors(3)
    alone = rehearsal.submit("demo-a.csv", given).interval
    rehearsal.lay_out(groups=list("aaabbbccc"))
    together = rehearsal.submit("demo-a.csv", given).interval
    assert together.score == alone.score
    assert together.high - together.low > 1.3 * (alone.high - alone.low)


def test_one_patient_alone_has_one_score_only(rehearsal: Rehearsal) -> None:
    rehearsal.lay_out(groups=["a"] * len(IDS))
    interval = rehearsal.submit("demo-a.csv", with_errors(3)).interval
    assert interval.low == interval.score == interval.high


def test_the_same_seed_gives_the_same_interval(rehearsal: Rehearsal) -> None:
    first = rehearsal.submit("demo-a.csv", with_errors(3))
    assert rehearsal.submit("demo-a.csv", with_errors(3)).interval == first.interval


def test_baselines_are_ranked_with_the_submission(rehearsal: Rehearsal) -> None:
    baselines = {"majority class": with_errors(5), "strong": with_errors(1)}
    result = rehearsal.submit("demo-a.csv", with_errors(3), baselines=baselines)
    assert places(result) == [(1, "strong"), (2, "demo-a.csv"), (3, "majority class")]
    assert [line.is_baseline for line in result.board] == [True, False, True]
    assert [line.score for line in result.board] == pytest.approx([8 / 9, 6 / 9, 4 / 9])
    assert result.rank == 2
    assert len(read_ledger(rehearsal.ledger)) == 1


def test_where_less_is_better_the_smallest_score_is_first(tmp_path: Path) -> None:
    rehearsal = laid_out(tmp_path, "one_column_a_class", "log_loss")
    baselines = {"even": np.full((9, 3), 1 / 3), "sure": 0.94 * ALL_RIGHT + 0.02}
    result = rehearsal.submit("demo-a.csv", 0.7 * ALL_RIGHT + 0.1, baselines=baselines)
    assert places(result) == [(1, "sure"), (2, "demo-a.csv"), (3, "even")]


@settings(deadline=None, max_examples=20)
@given(wrong=st.lists(st.integers(0, 9), max_size=6), own=st.integers(0, 9))
def test_equal_scores_share_the_better_rank(
    wrong: list[int], own: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rehearsal = laid_out(tmp_path_factory.mktemp("ranks"))
    baselines = {f"r{i}": with_errors(count) for i, count in enumerate(wrong)}
    result = rehearsal.submit("demo-a.csv", with_errors(own), baselines=baselines)
    expected = rankdata([own, *wrong], method="min").astype(int).tolist()
    rank_of = {line.name: line.rank for line in result.board}
    assert [rank_of["demo-a.csv"], *[rank_of[f"r{i}"] for i in range(len(wrong))]] == expected
    assert result.rank == expected[0]


@pytest.mark.parametrize("wrong", [0, 1, 3, 4])
def test_a_submission_shares_the_rank_of_an_earlier_one_of_equal_score(
    wrong: int, rehearsal: Rehearsal
) -> None:
    last_wrong = [(k + 1) % 3 if i >= 9 - wrong else k for i, k in enumerate(TRUTH)]
    rehearsal.submit("demo-a.csv", with_errors(wrong), time="t1")
    # The lines are turned round so that the bytes differ even where no prediction does.
    later = rehearsal.built(predictions(last_wrong)).iloc[::-1]
    write_table(rehearsal.ledger.parent / "demo-b.csv", later)
    result = rehearsal.rehearse(rehearsal.ledger.parent / "demo-b.csv", time="t2")
    assert sorted(places(result)) == [(1, "demo-a.csv, t1"), (1, "demo-b.csv")]


def test_a_new_submission_is_a_complete_line_of_the_ledger(rehearsal: Rehearsal) -> None:
    file = rehearsal.ledger.parent / "demo-a.csv"
    write_table(file, rehearsal.built(with_errors(3)))
    baselines = {"strong": ALL_RIGHT}
    result = rehearsal.rehearse(file, time="now", message="first, try", baselines=baselines)
    assert result.is_new
    assert read_ledger(rehearsal.ledger) == [
        LedgerEntry(
            time="now",
            competition="demo",
            file=str(file),
            sha256=file_digest(file),
            message="first, try",
            ref=file_digest(rehearsal.workspace.solution)[:12],
            status=REHEARSED,
            rank="2",
            local_score="0.666667",
        )
    ]


def test_the_same_bytes_add_no_second_line(rehearsal: Rehearsal) -> None:
    first = rehearsal.submit("demo-a.csv", with_errors(3), time="t1")
    second = rehearsal.submit("demo-b.csv", with_errors(3), time="t2")
    assert first.is_new
    assert not second.is_new
    assert second.interval == first.interval
    assert places(second) == [(1, "demo-b.csv")]
    assert [entry.time for entry in read_ledger(rehearsal.ledger)] == ["t1"]


def test_the_same_bytes_add_a_line_with_again(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", with_errors(3), time="t1")
    result = rehearsal.submit("demo-a.csv", with_errors(3), time="t2", again=True)
    assert result.is_new
    assert [entry.time for entry in read_ledger(rehearsal.ledger)] == ["t1", "t2"]


def test_an_earlier_file_of_the_same_name_is_listed_with_its_time(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", with_errors(1), time="t1")
    result = rehearsal.submit("demo-a.csv", with_errors(2), time="t2")
    assert places(result) == [(1, "demo-a.csv, t1"), (2, "demo-a.csv")]
    assert result.rank == 2


def test_entries_of_another_test_part_do_not_appear_and_are_kept(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", ALL_RIGHT, time="t1")
    rehearsal.lay_out(groups=list("aaabbbccc"))
    result = rehearsal.submit("demo-b.csv", with_errors(2), time="t2")
    assert places(result) == [(1, "demo-b.csv")]
    assert [entry.time for entry in read_ledger(rehearsal.ledger)] == ["t1", "t2"]


def test_the_same_file_on_another_test_part_is_a_new_line(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", ALL_RIGHT, time="t1")
    rehearsal.lay_out(groups=list("aaabbbccc"))
    assert rehearsal.submit("demo-a.csv", ALL_RIGHT, time="t2").is_new
    assert len(read_ledger(rehearsal.ledger)) == 2


def test_entries_of_another_competition_do_not_appear_and_are_kept(rehearsal: Rehearsal) -> None:
    part = file_digest(rehearsal.workspace.solution)[:12]
    other = LedgerEntry("t1", "umons", "umons-a.csv", "aa", ref=part, local_score="1.0")
    kaggle = LedgerEntry("t2", "demo", "demo-k.csv", "bb", ref="52417", public_score="0.99")
    write_ledger(rehearsal.ledger, [other, kaggle])
    result = rehearsal.submit("demo-a.csv", with_errors(2), time="t3")
    assert places(result) == [(1, "demo-a.csv")]
    assert read_ledger(rehearsal.ledger)[:2] == [other, kaggle]


def test_a_refused_submission_leaves_the_ledger_as_it_was(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", ALL_RIGHT)
    before = rehearsal.ledger.read_bytes()
    bad = rehearsal.ledger.parent / "bad.csv"
    bad.write_text("id,label\ni0,normal\n")
    with pytest.raises(SubmissionError):
        rehearsal.rehearse(bad)
    assert rehearsal.ledger.read_bytes() == before


def test_without_a_sample_submission_prepare_is_named(rehearsal: Rehearsal) -> None:
    rehearsal.workspace.sample_submission.unlink()
    with pytest.raises(MissingError, match=r"kagglecxr\.prepare demo"):
        rehearsal.submit("demo-a.csv", ALL_RIGHT)


def test_without_a_solution_prepare_is_named_with_its_option(rehearsal: Rehearsal) -> None:
    rehearsal.workspace.solution.unlink()
    with pytest.raises(MissingError, match=r"rehearsal test set.*prepare demo --test=0\.2"):
        rehearsal.submit("demo-a.csv", ALL_RIGHT)
    assert not rehearsal.ledger.exists()


def test_the_result_is_described_as_score_rank_and_leaderboard(rehearsal: Rehearsal) -> None:
    baselines = {"majority class": with_errors(5), "strong": with_errors(3)}
    result = rehearsal.submit("demo-a.csv", with_errors(3), baselines=baselines)
    first, second, *board = describe_rehearsal(result).splitlines()
    interval = result.interval
    assert first == (
        f"share: 0.6667 (95 % interval {interval.low:.4f} to {interval.high:.4f}) "
        "on 9 images, 3 errors"
    )
    assert second == "Rank 1 of 3 on the rehearsal leaderboard:"
    assert sorted(line.split() for line in board) == [
        ["1", "demo-a.csv", "0.6667"],
        ["1", "strong", "0.6667", "baseline"],
        ["3", "majority", "class", "0.4444", "baseline"],
    ]


def test_medals_end_between_the_rows_of_a_long_leaderboard(rehearsal: Rehearsal) -> None:
    baselines = {f"r{wrong}": with_errors(wrong) for wrong in range(1, 10)}
    result = rehearsal.submit("demo-a.csv", ALL_RIGHT, baselines=baselines)
    lines = [line.split() for line in describe_rehearsal(result).splitlines()[2:]]
    assert [words[1] for words in lines] == [
        "demo-a.csv", "gold", "r1", "silver", "r2", "r3", "bronze", "r4", "r5", "r6", "r7", "r8",
        "r9",
    ]  # fmt: skip


def test_equal_scores_share_a_medal(rehearsal: Rehearsal) -> None:
    baselines = {f"r{k}": with_errors(k // 5) for k in range(10)}
    result = rehearsal.submit("demo-a.csv", with_errors(2), baselines=baselines)
    lines = [line.split()[0] for line in describe_rehearsal(result).splitlines()[2:]]
    # Gold ends at rank 1, silver at 2, bronze at 4; there is no rank from 2 to 5.
    assert lines == [*"11111", "--", "--", "--", *"66666", "11"]


def test_the_step_from_the_last_submission_is_called_luck_or_not(rehearsal: Rehearsal) -> None:
    first = rehearsal.submit("demo-a.csv", with_errors(9), time="t1")
    assert first.step == ""
    better = rehearsal.submit("demo-b.csv", ALL_RIGHT, time="t2")
    assert better.step.startswith("demo-b.csv is better than demo-a.csv by 1.0000 share (")
    assert better.step.endswith("9 images): more than luck.")
    assert describe_rehearsal(better).splitlines()[-1] == (
        f"Since the last submission: {better.step}"
    )
    little = rehearsal.submit("demo-c.csv", with_errors(1), time="t3")
    assert little.step.startswith("demo-b.csv is ahead of demo-c.csv by 0.1111 share (")
    assert little.step.endswith(": it could be luck.")


def test_the_step_is_from_the_last_other_file(rehearsal: Rehearsal) -> None:
    rehearsal.submit("demo-a.csv", with_errors(3), time="t1")
    rehearsal.submit("demo-b.csv", with_errors(2), time="t2")
    assert "demo-a.csv" in rehearsal.submit("demo-b.csv", with_errors(2), time="t3").step


def test_of_a_step_from_a_file_that_is_gone_or_changed_nothing_is_said(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.submit("demo-a.csv", with_errors(3), time="t1")
    assert rehearsal.submit("demo-a.csv", with_errors(2), time="t2").step == ""
    (rehearsal.ledger.parent / "demo-a.csv").unlink()
    result = rehearsal.submit("demo-b.csv", ALL_RIGHT, time="t3")
    assert result.step == ""
    assert "Since the last" not in describe_rehearsal(result)


def test_a_last_file_that_is_not_valid_any_more_is_not_compared(tmp_path: Path) -> None:
    laid_out(tmp_path).submit("demo-a.csv", with_errors(3))
    rehearsal = laid_out(tmp_path, "one_column_a_class")
    assert rehearsal.submit("demo-b.csv", ALL_RIGHT).step == ""
