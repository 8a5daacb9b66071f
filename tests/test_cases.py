"""Inputs as they come in real life: each is drawn by its script and prepared by the verb.

The scripts are not part of the project; without them these tests are skipped. What they have in
common with the tests of single modules is meant: here the verb's own words are read.
"""

import re
import runpy
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepared import PreparedData, load_prepared
from tests.test_verbs import TINY, verb, verb_here

CASES = Path(__file__).parents[1].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases of shared/cases are not here")


@dataclass(frozen=True)
class Case:
    """A case that was drawn into a folder; verbs run in the folder above it."""

    root: Path

    def prepare(self, name: str = "", *words: str) -> str:
        """Prepares a file or folder of the case; returns what is printed."""
        done = verb_here("prepare", *self.named(name), "--size", "24", *words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def refused(self, name: str = "", *words: str) -> str:
        """The one sentence with which `prepare` refuses it."""
        done = verb_here("prepare", *self.named(name), "--size", "24", *words)
        assert done.returncode == 2, done.stdout
        assert done.stderr.count("\n") == 1
        assert not list(Path("work").glob("*/prepare.json"))
        return done.stderr

    def refused_again(self, name: str) -> str:
        """The one sentence with which `prepare` refuses it, in a workspace that was prepared."""
        done = verb_here("prepare", *self.named(name), "--size", "24")
        assert done.returncode == 2, done.stdout
        return done.stderr

    def named(self, name: str) -> list[str]:
        path = self.root / name if name else self.root
        data = ["--data", str(self.root)] if name.endswith(".toml") else []
        return [str(path), *data]

    def loaded(self, name: str = "") -> PreparedData:
        """What the next verbs read."""
        competition = load_competition(self.root / name if name else self.root)
        return load_prepared(competition, Workspace.of(competition.name, None))

    def index(self) -> pd.DataFrame:
        """The only index that was written, by path."""
        (path,) = Path("work").glob("*/index.csv")
        return read_table(path).set_index("path")

    def labels(self) -> dict[str, int]:
        """How many training images each class has."""
        index = self.index()
        return dict(Counter(index.loc[index["split"] == "train", "label"]))


Draw = Callable[..., Case]


@pytest.fixture
def draw(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Draws a case by its number."""
    monkeypatch.syspath_prepend(str(CASES))

    def drawn(number: str, *words: str) -> Case:
        (script,) = CASES.glob(f"{number}-*.py")
        root = in_folder / f"case{number}"
        monkeypatch.setattr(sys, "argv", [str(script), str(root), *words])
        runpy.run_path(str(script))
        return Case(root)

    return drawn


NO_TEST = ("--test", "0")


def test_parts_named_train_val_and_test_are_parts(draw: Draw) -> None:
    case = draw("01")
    told = case.prepare()
    assert "train/ and val/ are for training; test/ is the test set" in told
    assert case.labels() == {"NORMAL": 28, "PNEUMONIA": 28}
    index = case.index()
    assert set(index.index[index["split"] == "test"].str.split("/").str[0]) == {"test"}


def test_class_folders_one_level_down_are_found(draw: Draw) -> None:
    case = draw("03")
    assert "COVID-19_Radiography_Dataset/: folders are the classes" in case.prepare("", *NO_TEST)
    assert case.labels() == {"COVID": 20, "Normal": 20}
    assert (case.index()["mask"] != "").all()


def test_files_of_a_mac_are_no_images(draw: Draw) -> None:
    case = draw("04")
    case.prepare("", *NO_TEST)
    assert not case.index().index.str.contains(r"__MACOSX|\._").any()
    assert set(case.labels()) >= {"covid", "normal"}


def test_images_and_masks_with_capitals(draw: Draw) -> None:
    case = draw("05")
    assert "Masks: 40." in case.prepare("", *NO_TEST)
    assert case.labels() == {"COVID": 20, "Normal": 20}
    assert all("/Masks/mask_" in mask for mask in case.index()["mask"])


def test_other_suffixes_are_read(draw: Draw) -> None:
    case = draw("06")
    (case.root / "covid" / "notes.txt").write_text("none")
    assert "Passed over, since no images: 1 .txt." in case.prepare("", *NO_TEST)
    assert case.labels() == {"covid": 50, "normal": 20}


def test_names_that_are_not_utf_8_are_refused_before_anything_is_decoded(draw: Draw) -> None:
    case = draw("09")
    assert r"covid/radio_\xe9_1.png" in case.refused()
    assert not list(Path("work").glob("*/cache/*"))


@pytest.mark.parametrize("name", ["plain", "whole"])
def test_links_to_folders_are_followed(draw: Draw, name: str) -> None:
    case = draw("10")
    case.prepare(name, *NO_TEST)
    assert case.labels() == {"covid": 20, "normal": 20}


def test_links_to_folders_are_followed_by_a_toml(draw: Draw) -> None:
    case = draw("10")
    verb = verb_here("prepare", str(case.root / "c.toml"), "--data", str(case.root / "comp"),
                     "--size", "24", *NO_TEST)  # fmt: skip
    assert verb.returncode == 0, verb.stderr
    assert case.labels() == {"covid": 20, "normal": 20}


def test_links_to_nothing_are_named(draw: Draw) -> None:
    assert "Links to nothing: 1, covid/gone.png" in draw("10").prepare("broken", *NO_TEST)


def test_odd_names_come_back_in_commands_that_can_be_pasted(draw: Draw) -> None:
    case = draw("11")
    name = "mes radios (2020) é"
    told = case.prepare(name)
    assert f"Next: python -m kagglecxr.train '{case.root / name}'\n" in told
    assert len(case.labels()) == 4
    done = verb_here("explore", str(case.root / name))
    assert (done.returncode, done.stderr) == (0, "")


def test_another_folder_of_one_name_is_refused(draw: Draw) -> None:
    case = draw("12")
    case.prepare("hospital1/train")
    done = verb_here("prepare", str(case.root / "hospital2" / "train"), "--size", "24")
    assert done.returncode == 2
    assert str(case.root / "hospital1" / "train") in done.stderr
    assert str(case.root / "hospital2" / "train") in done.stderr


def test_a_folder_called_like_a_preset(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    case = draw("13")
    monkeypatch.chdir(case.root)
    done = verb_here("prepare", "covid-ct", "--size", "24")
    assert done.returncode == 2
    preset = re.search(r"Write \./covid-ct for the folder, or (\S+) for the preset", done.stderr)
    assert preset is not None
    assert load_competition(preset[1]).classes.names == ["NonCOVID", "COVID"]
    assert verb_here("prepare", "./covid-ct", "--size", "24", *NO_TEST).returncode == 0
    assert case.labels() == {"CT_COVID": 20, "CT_NonCOVID": 20}


def test_odd_images_are_decoded(draw: Draw) -> None:
    case = draw("20")
    case.prepare("", *NO_TEST)
    odd = {path.name for path in (case.root / "covid").iterdir()}
    assert {Path(path).name for path in case.index().index} >= odd


def test_broken_images_are_each_named(draw: Draw) -> None:
    case = draw("21")
    told = case.refused()
    for name in ("zero.png", "cut.jpg", "cut.png", "login.png"):
        assert name in told
    done = verb_here("prepare", str(case.root), "--size", "24", "--skip-broken", *NO_TEST)
    assert done.returncode == 0
    assert case.labels() == {"covid": 20, "normal": 20}


def test_an_image_that_is_too_large_is_named_with_its_size(draw: Draw) -> None:
    told = draw("22").refused()
    assert "huge.png" in told
    assert "40,000 x 30,000 pixels is more than the largest allowed, 1,073,741,824" in told


def test_tiny_images_are_decoded(draw: Draw) -> None:
    case = draw("22", "-nohuge")
    assert "Left out, of one grey value: covid/one.png." in case.prepare("", *NO_TEST)
    assert "covid/thin.png" in case.index().index


def test_blank_images_are_left_out_and_named(draw: Draw) -> None:
    case = draw("23")
    told = case.prepare("", *NO_TEST)
    assert case.labels() == {"covid": 20, "normal": 20}
    for name in ("covid/black0.png", "normal/dark1.png"):
        assert name in told


@pytest.mark.parametrize("words", [(), ("-nopreamble",)])
def test_a_line_a_box_is_one_label_an_image(draw: Draw, words: tuple[str, ...]) -> None:
    pytest.importorskip("pydicom")
    case = draw("24", *words)
    case.prepare("rsna.toml")
    assert sum(case.labels().values()) == 50
    truth = pd.read_csv(case.root / "stage_2_train_labels.csv").drop_duplicates("patientId")
    assert case.labels() == {str(k): int(n) for k, n in truth["Target"].value_counts().items()}


@pytest.mark.parametrize("number", ["30", "31"])
def test_tables_of_other_programs_are_read(draw: Draw, number: str) -> None:
    case = draw(number)
    case.prepare("c.toml", *NO_TEST)
    assert sorted(case.labels().values()) == [20, 20]


@pytest.mark.parametrize("kind", ["empty", "html", "ragged", "header"])
def test_damaged_tables_are_refused_by_file_and_line(draw: Draw, kind: str) -> None:
    told = draw("33", kind).refused("c.toml")
    assert "train.csv" in told
    assert kind != "ragged" or "line 9" in told


def test_spellings_of_a_label_are_shown(draw: Draw) -> None:
    assert "COVID" in draw("34").refused("c.toml")


def test_lost_zeros_are_found_again(draw: Draw) -> None:
    case = draw("35")
    case.prepare("c.toml", *NO_TEST)
    assert sum(case.labels().values()) == 40


def test_numeric_classes_keep_their_numbers(draw: Draw) -> None:
    case = draw("36")
    case.prepare("c.toml")
    prepared = case.loaded("c.toml")
    targets = prepared.competition.targets()
    assert targets == [str(k) for k in range(12)]
    table = prepared.competition.submission.for_targets(targets).build(["a"], np.eye(12)[2:3])
    assert table["label"].tolist() == [2]


def test_one_hot_columns_are_classes(draw: Draw) -> None:
    case = draw("37")
    assert "columns MEL, NV are classes" in case.prepare("c.toml", *NO_TEST)
    assert case.labels() == {"MEL": 20, "NV": 20}


FINDINGS = ["Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass"]


@pytest.mark.parametrize("name", ["38/nih.toml", "82/nih.toml", "82/nih-names.toml"])
def test_several_labels_in_a_cell_are_findings(draw: Draw, name: str) -> None:
    number, _, file = name.partition("/")
    case = draw(number)
    told = case.prepare(file, *NO_TEST)
    assert "several labels an image: column Finding Labels joins them" in told
    assert "Effusion 36, No Finding 12" in told
    prepared = case.loaded(file)
    assert prepared.competition.classes.multilabel
    assert set(prepared.competition.targets()) == set(FINDINGS)
    truth = dict(zip(prepared.competition.targets(), prepared.findings().sum(axis=0), strict=True))
    assert truth == {**dict.fromkeys(FINDINGS, 12.0), "Effusion": 36.0}
    assert case.labels()["Effusion|Infiltration"] == 12


def test_the_official_test_set_of_nih(draw: Draw) -> None:
    case = draw("38")
    text = (case.root / "nih.toml").read_text(encoding="utf-8")
    listed = text.replace("[layout]\n", '[layout]\ntest_list = "test_list.txt"\n')
    (case.root / "nih.toml").write_text(listed, encoding="utf-8")
    assert "12 images that test_list.txt names for the test set" in case.prepare("nih.toml")
    index = case.index()
    names = (case.root / "test_list.txt").read_text(encoding="utf-8").split()
    test = index.index[index["split"] == "test"]
    assert sorted(Path(path).name for path in test) == sorted(names)
    assert set(index.loc[test, "label"]) == {""}
    (solution,) = Path("work").glob("*/rehearsal/solution.csv")
    assert "Effusion|Infiltration" in set(read_table(solution)["label"])
    (case.root / "test_list.txt").unlink()
    told = case.refused_again("nih.toml")
    assert "The list of the test set does not exist" in told


def test_a_finding_that_names_lack_is_told(draw: Draw) -> None:
    case = draw("82")
    table = case.root / "Data_Entry_2017.csv"
    text = table.read_text(encoding="utf-8").replace("Effusion|Infiltration", "Effusion|Hernia", 1)
    table.write_text(text, encoding="utf-8")
    told = case.refused("nih-names.toml", *NO_TEST)
    assert "Received: Hernia" in told


def test_a_metadata_csv_may_be_the_table_of_labels(draw: Draw) -> None:
    case = draw("39")
    assert "Patients: all 60 images" in case.prepare("cohen.toml", *NO_TEST)
    assert set(case.labels().values()) == {20}


def test_images_are_matched_by_whole_paths(draw: Draw) -> None:
    case = draw("40")
    case.prepare("chex.toml", *NO_TEST)
    assert case.labels() == {"0.0": 32, "1.0": 16}


def test_patients_may_stand_in_the_table_of_labels(draw: Draw) -> None:
    case = draw("43")
    assert "Patients: all 60 images" in case.prepare("isic.toml", *NO_TEST)
    assert case.index()["group"].nunique() == 20


def test_a_list_without_header_is_read(draw: Draw) -> None:
    case = draw("44")
    assert "Patients: all 40 images" in case.prepare("covidx.toml", *NO_TEST)
    assert case.labels() == {"negative": 20, "positive": 20}
    assert set(case.index()["source"]) == {"rsna"}


def test_one_folder_for_all_is_told_apart_by_its_tables(draw: Draw) -> None:
    case = draw("48")
    case.prepare("c.toml")
    assert case.labels() == {"covid": 20, "normal": 20}
    index = case.index()
    assert sorted(index.loc[index["split"] == "test", "id"]) == [f"t{k:04d}" for k in range(12)]


@pytest.mark.parametrize("words", [(), ("-names",)])
def test_labels_without_train_name_the_images(draw: Draw, words: tuple[str, ...]) -> None:
    case = draw("49", *words)
    case.prepare("c.toml", *NO_TEST)
    assert case.labels() == {"covid": 20, "normal": 20}
    assert len(case.index()) == 40


def test_the_form_is_taken_from_the_sample(draw: Draw) -> None:
    case = draw("50")
    case.prepare("c.toml")
    submission = case.loaded("c.toml").competition.submission
    assert (submission.id, submission.target) == ("Image", "Class")


def test_columns_and_lines_follow_the_sample(draw: Draw) -> None:
    case = draw("51")
    case.prepare("c.toml")
    competition = case.loaded("c.toml").competition
    sample = read_table(Path("work/order/sample_submission.csv"))
    targets = competition.targets()
    ids = [f"t{k:03d}.png" for k in range(12)]
    table = competition.submission.for_targets(targets).build_like(
        sample, ids, np.arange(36).reshape(12, 3)
    )
    assert list(table.columns) == ["id", "viral", "covid", "normal"]
    assert table.iloc[0].tolist() == ["t011.png", 35, 33, 34]


def test_a_sample_that_lacks_a_class_is_refused(draw: Draw) -> None:
    assert "wanted id, covid, normal, viral" in draw("52").refused("c.toml")


def test_a_sample_that_is_not_there_is_refused(draw: Draw) -> None:
    assert "sampleSubmission.csv" in draw("53").refused("c.toml")


def test_test_images_without_an_id_are_shown(draw: Draw) -> None:
    assert "have no id (test/t010.png, test/t011.png)" in draw("54").refused("c.toml")


def test_ids_without_zeros_are_matched(draw: Draw) -> None:
    case = draw("55")
    case.prepare("c.toml")
    index = case.index()
    assert index.loc["test/00011.png", "id"] == "11"


def test_a_line_for_each_image_and_class(draw: Draw) -> None:
    case = draw("57")
    case.prepare("c.toml")
    competition = case.loaded("c.toml").competition
    assert competition.submission.form == "long"
    sample = read_table(Path("work/long/sample_submission.csv"))
    form = competition.submission.for_targets(competition.targets())
    ids = form.image_ids(list(sample["ID"]))
    assert ids == [f"t{k:03d}" for k in range(12)]
    given = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    table = form.build_like(sample, ids, given)
    assert table["ID"].tolist() == sample["ID"].tolist()
    np.testing.assert_array_equal(form.parse(form.validate(table.astype(str), sample), ids), given)


def test_a_sample_with_semicolons(draw: Draw) -> None:
    draw("58").prepare("c.toml")


def test_five_images_are_refused_with_a_command(draw: Draw) -> None:
    case = draw("60")
    told = case.refused()
    command = re.search(r"set, run: (python -m kagglecxr\.prepare .*)$", told.strip())
    assert command is not None
    assert "--folds=2" in command[1]


def test_a_class_of_two_is_told_by_the_numbers_that_were_asked_for(draw: Draw) -> None:
    told = draw("61").refused("", "--folds", "2")
    assert "'rare' with 2 groups" in told
    assert "5 folds" not in told


def test_one_class_is_refused(draw: Draw) -> None:
    assert "one class" in draw("62").refused()


def test_patients_across_classes_stay_together(draw: Draw) -> None:
    case = draw("63")
    done = verb_here("prepare", str(case.root / "c.toml"), "--data", str(case.root / "data"),
                     "--size", "24")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert case.index().groupby("group").size().tolist() == [2] * 25


@pytest.mark.parametrize("number", ["64", "65"])
def test_a_patient_expression_that_says_nothing_is_refused(draw: Draw, number: str) -> None:
    case = draw(number)
    done = verb_here("prepare", str(case.root / "c.toml"), "--data", str(case.root / "data"))
    assert done.returncode == 2
    assert "expression for patients" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spaces", "at name: it may hold letters, digits, .* write 'my-comp'"),
        ("unknown", r"at layout\.label: there is no such entry; the nearest are .*labels"),
        (
            "string",
            r'at layout\.train: it has to be a list; write train = \["train/\{class\}/\*"\]',
        ),
        ("brace", r"the pattern has \{png,jpg\}"),
        ("absolute", "relative to the data folder"),
        ("nosource", r"at source: it is missing; write \[source\]"),
        ("latin", "not UTF-8"),
    ],
)
def test_mistakes_in_a_toml_are_told_in_plain_words(draw: Draw, name: str, words: str) -> None:
    told = draw("66").refused(f"{name}.toml")
    assert re.search(words, told), told


@pytest.mark.parametrize(("name", "images"), [("bom", 40), ("dot", 40), ("win", 40), ("stars", 80)])
def test_what_is_no_mistake_in_a_toml(draw: Draw, name: str, images: int) -> None:
    case = draw("66")
    case.prepare(f"{name}.toml", *NO_TEST)
    assert sum(case.labels().values()) == images


def test_two_stars_go_any_number_of_folders_down(draw: Draw) -> None:
    assert "80 images" in draw("66").refused("stars2.toml")


def test_ids_stay_apart(draw: Draw) -> None:
    case = draw("67")
    case.prepare("", *NO_TEST)
    assert case.index()["id"].is_unique


def test_mixed_channels_are_told_as_channels(draw: Draw) -> None:
    case = draw("70")
    told = case.refused("", "--pipeline", "resize")
    assert "different numbers of channels" in told
    assert "gray or rgb" in told
    case.prepare("", "--pipeline", "rgb | resize", *NO_TEST)


def test_a_folder_is_the_folder_whatever_lies_beside_it(draw: Draw) -> None:
    case = draw("71")
    case.prepare("rsna", *NO_TEST)
    assert case.labels() == {"covid": 20, "normal": 20}


def test_images_without_labels_are_refused(draw: Draw) -> None:
    assert "[layout] labels" in draw("72").refused("c.toml")


def test_a_mended_toml_is_used_at_once(draw: Draw) -> None:
    case = draw("74")
    case.prepare("c.toml")
    prepared = case.loaded("mended.toml").competition
    assert (prepared.metric.name, prepared.submission.target) == ("macro_f1", "Class")
    text = (case.root / "c.toml").read_text()
    (case.root / "c.toml").write_text(text.replace("train/{class}/*", "train/{class}/a00*"))
    done = verb_here("train", str(case.root / "c.toml"))
    assert done.returncode == 2
    assert re.search(r"other \[layout\]\. Run: python -m kagglecxr\.prepare .*c\.toml", done.stderr)


@pytest.mark.parametrize("how", ["dot", "win", "name", "abs", "right"])
def test_metadata_paths_are_matched(draw: Draw, how: str) -> None:
    assert "Patients: all 60 images" in draw("75", how).prepare("", *NO_TEST)


@pytest.mark.parametrize("words", [(), ("-plots",)])
def test_folders_that_are_no_classes_are_named(draw: Draw, words: tuple[str, ...]) -> None:
    case = draw("78", *words)
    told = case.prepare("", *NO_TEST)
    assert case.labels() == {"covid": 20, "normal": 20}
    assert f"Left out: {'results/' if words else 'notebooks/ without images'}." in told


def test_a_workspace_inside_the_data_is_no_class(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = draw("79")
    monkeypatch.chdir(case.root)
    for _ in range(2):
        done = verb_here("prepare", ".", "--size", "24", *NO_TEST)
        assert (done.returncode, done.stderr) == (0, "")
        assert case.labels() == {"covid": 20, "normal": 20}


def test_a_folder_and_a_table_that_disagree_are_shown(draw: Draw) -> None:
    told = draw("81").refused("c.toml")
    assert "train/covid/a0000.png is 'normal' in the table" in told
    assert "40 images" in told


def test_a_toml_of_kind_folder_describes_its_own_folder(draw: Draw) -> None:
    case = draw("87")
    done = verb_here("prepare", str(case.root / "c.toml"), "--size", "24", *NO_TEST)
    assert done.returncode == 0, done.stderr
    assert case.labels() == {"covid": 20, "normal": 20}


def test_train_and_test_may_count_alike(draw: Draw) -> None:
    case = draw("89")
    case.prepare("c.toml")
    index = case.index()
    test = index[index["split"] == "test"]
    assert sorted(test["id"], key=int) == [str(k) for k in range(1, 13)]
    assert index["id"].is_unique


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "name", "form"),
    [
        ("24", "rsna.toml", "where the sample has '0.5 0 0 100 100'"),
        ("36", "c.toml", "is in perfect form"),
        ("51", "c.toml", "is in perfect form"),
        ("57", "c.toml", "is in perfect form"),
    ],
)
def test_a_case_is_played_to_its_submission(draw: Draw, number: str, name: str, form: str) -> None:
    case = draw(number)
    case.prepare(name, "--folds", "2")
    path = str(case.root / name)
    for words in (("train", path, *TINY), ("ensemble", path)):
        done = verb(*words)
        assert (done.returncode, done.stderr) == (0, "")
    (sent,) = Path("submissions").glob("*.csv")
    (sample,) = (read_table(path) for path in Path("work").glob("*/sample_submission.csv"))
    submission = read_table(sent)
    assert list(submission.columns) == list(sample.columns)
    assert submission.iloc[:, 0].tolist() == sample.iloc[:, 0].tolist()
    dry = verb_here("submit", path, "--local", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert form in dry.stdout
    assert shlex.split(dry.stdout.partition("Next: ")[2]) == [
        "python", "-m", "kagglecxr.submit", path, "--local",
    ]  # fmt: skip


def test_every_case_has_a_test() -> None:
    numbers = {path.name.split("-")[0] for path in CASES.glob("[0-9]*.py")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {number for number in numbers if f'"{number}"' not in text} == set()
