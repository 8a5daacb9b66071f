"""The leaderboard's part: found or put aside, named as the leaderboard names it, labels hidden."""

from pathlib import Path

import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import read_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Classes, Competition, Layout, Source
from kagglecxr.data.files.sample import own_sample
from kagglecxr.data.holdout import split_test_set
from kagglecxr.data.schema import SubmissionSettings

PATIENTS = 40


def described(**entries: object) -> Competition:
    return Competition.model_validate(
        {
            "name": "mine",
            "source": Source(kind="folder"),
            "classes": Classes(names=["ill", "well", "odd"], pools={"unwell": ["ill", "odd"]}),
            **entries,
        }
    )


def found_images() -> pd.DataFrame:
    """120 training images of 40 patients, of whom one in four is ill and one in four odd."""
    rows = []
    for patient in range(PATIENTS):
        label = ("ill", "odd", "well", "well")[patient % 4]
        rows += [
            {
                "id": f"{patient}-{k}",
                "path": f"{label}/{patient}-{k}.png",
                "label": label,
                "split": "train",
                "group": f"p{patient}",
                "source": "",
            }
            for k in range(3)
        ]
    return pd.DataFrame(rows)


def with_test_set(labelled: bool) -> pd.DataFrame:
    """The same, the last four patients being the test set that the data bring."""
    found = found_images()
    test = found.index >= 3 * (PATIENTS - 4)
    found.loc[test, "split"] = "test"
    if not labelled:
        found.loc[test, "label"] = ""
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work", "mine")


def put_aside(
    found: pd.DataFrame,
    workspace: Workspace,
    competition: Competition | None = None,
    *,
    share: float = 0.2,
    seed: int = 0,
) -> pd.DataFrame:
    competition = competition or described()
    sample = own_sample(workspace.root.parent, competition.layout)
    return split_test_set(found, sample, competition, workspace, share, seed)


def test_a_part_put_aside_has_about_its_share_and_parts_no_group(workspace: Workspace) -> None:
    result = put_aside(found_images(), workspace)
    test = result["split"] == "test"
    assert test.mean() == pytest.approx(0.2, abs=0.05)
    assert (result.groupby("group")["split"].nunique() == 1).all()
    assert result["id"].tolist() == found_images()["id"].tolist()


def test_no_label_of_the_test_set_is_left_and_none_of_training_is_touched(
    workspace: Workspace,
) -> None:
    found = found_images()
    result = put_aside(found, workspace)
    test = result["split"] == "test"
    assert (result.loc[test, "label"] == "").all()
    assert result.loc[~test, "label"].tolist() == found.loc[~test, "label"].tolist()
    assert (found["label"] != "").all()


def test_the_solution_holds_the_targets_of_the_hidden_labels(workspace: Workspace) -> None:
    found = found_images()
    result = put_aside(found, workspace)
    solution = read_table(workspace.solution)
    test = result["split"] == "test"
    truth = found.loc[test, "label"].map({"ill": "unwell", "odd": "unwell", "well": "well"})
    assert solution["id"].tolist() == result.loc[test, "id"].tolist()
    assert solution["label"].tolist() == truth.tolist()
    assert solution["group"].tolist() == found.loc[test, "group"].tolist()


def test_the_sample_submission_asks_for_the_test_images_in_the_competitions_form(
    workspace: Workspace,
) -> None:
    form = SubmissionSettings(id="image", form="one_column_a_class")
    result = put_aside(found_images(), workspace, described(submission=form))
    sample = read_table(workspace.sample_submission)
    assert list(sample.columns) == ["image", "unwell", "well"]
    assert sample["image"].tolist() == result.loc[result["split"] == "test", "id"].tolist()
    assert set(sample["unwell"]) == {"0.5"}


def test_the_same_seed_puts_the_same_part_aside_and_another_another(workspace: Workspace) -> None:
    one, same, other = (put_aside(found_images(), workspace, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert one["split"].tolist() != other["split"].tolist()


def test_a_share_of_zero_makes_no_test_set_and_clears_an_older_one(workspace: Workspace) -> None:
    put_aside(found_images(), workspace)
    assert workspace.solution.is_file()
    result = put_aside(found_images(), workspace, share=0.0)
    assert set(result["split"]) == {"train"}
    assert not workspace.solution.exists()
    assert not workspace.sample_submission.exists()


def test_a_share_of_more_than_half_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SettingError, match=r"0\.7"):
        put_aside(found_images(), workspace, share=0.7)


def test_a_test_set_that_the_data_bring_is_taken_as_it_is(workspace: Workspace) -> None:
    result = put_aside(with_test_set(labelled=False), workspace)
    assert result["split"].tolist() == with_test_set(labelled=False)["split"].tolist()
    assert not workspace.solution.exists()
    assert len(read_table(workspace.sample_submission)) == 12


def test_known_labels_of_a_brought_test_set_go_to_the_solution_only(workspace: Workspace) -> None:
    result = put_aside(with_test_set(labelled=True), workspace)
    assert (result.loc[result["split"] == "test", "label"] == "").all()
    assert len(read_table(workspace.solution)) == 12


def test_a_test_set_with_some_labels_unknown_has_no_solution(workspace: Workspace) -> None:
    found = with_test_set(labelled=True)
    found.loc[found.index[-1], "label"] = ""
    put_aside(with_test_set(labelled=True), workspace)
    result = put_aside(found, workspace)
    assert not workspace.solution.exists()
    assert (result.loc[result["split"] == "test", "label"] == "").all()


SAMPLED = {"layout": Layout(sample="sample_submission.csv")}


def sample_of(ids: list[str], workspace: Workspace) -> Path:
    path = workspace.root.parent / "sample_submission.csv"
    path.write_text("\n".join(["id,label", *[f"{name},well" for name in ids]]) + "\n")
    return path


@pytest.mark.parametrize("form", ["{}", "{}.png", "test/{}.png"])
def test_test_images_take_the_ids_of_the_competitions_own_sample(
    workspace: Workspace, form: str
) -> None:
    found = with_test_set(labelled=False)
    stems = found.loc[found["split"] == "test", "id"].tolist()
    own = sample_of([form.format(stem) for stem in stems[::-1]], workspace)
    result = put_aside(found, workspace, described(**SAMPLED))
    test = result["split"] == "test"
    assert result.loc[test, "id"].tolist() == [form.format(stem) for stem in stems]
    assert result.loc[~test, "id"].tolist() == found.loc[~test, "id"].tolist()
    assert workspace.sample_submission.read_bytes() == own.read_bytes()


def test_ids_with_dots_in_a_sample_are_told_apart(workspace: Workspace) -> None:
    found = with_test_set(labelled=False)
    found["id"] = "1.2." + found["id"]
    found["path"] = found["id"].map("images/{}.dcm".format)
    ids = found.loc[found["split"] == "test", "id"].tolist()
    sample_of(ids, workspace)
    result = put_aside(found, workspace, described(**SAMPLED))
    assert result.loc[result["split"] == "test", "id"].tolist() == ids


@pytest.mark.parametrize("change", ["one missing", "one too many", "one doubled"])
def test_a_sample_of_other_images_is_refused(workspace: Workspace, change: str) -> None:
    found = with_test_set(labelled=False)
    ids = found.loc[found["split"] == "test", "id"].tolist()
    changed = {
        "one missing": ids[1:],
        "one too many": [*ids, "stranger"],
        "one doubled": [*ids[1:], ids[1]],
    }
    own = sample_of(changed[change], workspace)
    with pytest.raises(DataError, match=r"12 test images") as caught:
        put_aside(found, workspace, described(**SAMPLED))
    assert str(own) in str(caught.value)
    assert ("stranger" in str(caught.value)) == (change == "one too many")
