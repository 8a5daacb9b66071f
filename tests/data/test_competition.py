"""Descriptions: the presets, a TOML of one's own, a plain folder, and mistakes in each."""

from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import CxrError, MissingError, SettingError, UnknownNameError
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS
from kagglecxr.data.competition import PRESETS, Classes, hashes_file, load_competition, preset_names

HEAD = 'name = "mine"\n[source]\nkind = "folder"\n'
MERGE = '[[merge]]\ndata = "other"\n'
TWO = HEAD + '[classes]\nnames = ["ill", "well"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def one_sentence_about(error: CxrError, *words: str) -> None:
    """Holds where the message is one line with what was received, and these words."""
    text = str(error)
    assert "\n" not in text
    assert "Received" in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_under_its_own_name(name: str) -> None:
    competition = load_competition(name)
    assert competition.name == name
    assert competition.title
    assert competition.metric.name in {*METRICS.names(), *FINDING_METRICS.names()}
    pooled = [label for pool in competition.pools() for label in pool]
    assert sorted(pooled) == list(range(len(competition.classes.names)))
    positive = competition.submission.positive
    assert positive is None or positive in competition.targets()


def test_the_presets_are_the_toml_files_of_the_package() -> None:
    assert preset_names() == sorted(path.stem for path in PRESETS.iterdir())
    assert {"demo", "umons-covid19", "covid19-radiography"} <= set(preset_names())


def test_name_and_source_are_enough(tmp_path: Path) -> None:
    competition = load_competition(written(tmp_path, HEAD))
    assert competition.name == "mine"
    assert competition.classes.names == []
    assert competition.metric.name == "accuracy"
    assert competition.submission.for_targets([]).columns() == ["id", "label"]


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    text = """
        name = "umons-covid19"
        [source]
        kind = "competition"
        slug = "covid-19-challenge-umons"
        [classes]
        names = ["covid-19", "normal", "viral-pneumonia"]
        [classes.pools]
        pneumonia = ["covid-19", "viral-pneumonia"]
        [layout]
        [metric]
        name = "accuracy"
        [submission]
        id = "id"
        target = "label"
        form = "class"
    """
    competition = load_competition(str(written(tmp_path, text)))
    assert competition.source.slug == "covid-19-challenge-umons"
    assert competition.targets() == ["pneumonia", "normal"]
    assert competition.pools() == [[0, 2], [1]]
    assert competition.target_of_class() == {"covid-19": 0, "viral-pneumonia": 0, "normal": 1}


def test_the_example_of_the_docs_is_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "competitions.md"
    text = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    competition = load_competition(written(tmp_path, text))
    assert [part.name for part in competition.merge] == ["kermany"]


def test_pools_stand_where_their_first_class_does() -> None:
    competition = load_competition("covid19-radiography-3-classes")
    assert competition.targets() == ["COVID", "Pneumonia", "Normal"]
    assert competition.pools() == [[0], [1, 3], [2]]


def test_a_folder_is_a_competition_of_its_own_name(tmp_path: Path) -> None:
    folder = tmp_path / "My X-rays (2021)"
    folder.mkdir()
    competition = load_competition(folder)
    assert competition.folder == folder.resolve()
    assert competition.source.kind == "folder"
    assert competition.name.startswith("My-X-rays")
    assert "/" not in competition.name


@pytest.mark.parametrize("name", ["Röntgen-élèves", "肺", "...", "_x", "-", "a b"])
def test_a_folder_of_any_name_is_a_competition(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert load_competition(tmp_path / name).name


def test_class_names_are_filled_in_sorted_only_where_there_are_none(tmp_path: Path) -> None:
    plain = load_competition(tmp_path).with_classes(["b", "c", "a"])
    assert plain.targets() == ["a", "b", "c"]
    named = load_competition("demo")
    assert named.with_classes(["other"]) is named


def test_an_unknown_name_names_the_nearest_three(in_folder: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_competition("covid-19-radiography")
    one_sentence_about(caught.value, "'covid-19-radiography'", "covid19-radiography")
    named = [name for name in preset_names() if name in str(caught.value).split("nearest are ")[1]]
    assert len(str(caught.value).split("nearest are ")[1].split(", ")) == 3
    assert len(named) >= 3


def test_a_toml_path_that_is_not_there_is_refused_as_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"absent\.toml") as caught:
        load_competition(tmp_path / "absent.toml")
    assert isinstance(caught.value, FileNotFoundError)


def test_a_file_that_is_no_toml_is_refused_with_what_to_name_instead(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("id\n")
    with pytest.raises(SettingError, match=r"index\.csv.*folder"):
        load_competition(tmp_path / "index.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = \n", ["line 1"]),
        ('name = "mine"\nname = "twice"\n', ["line 2"]),
        ("name = mine\n[source]", ["line 1"]),
    ],
    ids=["no value", "twice", "no quotes"],
)
def test_text_that_is_no_toml_is_refused_with_its_line(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingError) as caught:
        load_competition(path)
    one_sentence_about(caught.value, str(path), *words)


def test_a_toml_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(HEAD.encode() + 'title = "Röntgen"'.encode("latin-1"))
    with pytest.raises(SettingError, match=r"mine\.toml"):
        load_competition(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWO + 'colour = "red"\n', ["classes.colour"]),
        ('titel = "typo"\n' + HEAD, ["titel"]),
        (HEAD.replace('"folder"', '"ftp"'), ["source.kind", "'competition'"]),
        ('[source]\nkind = "demo"\n', ["name"]),
        ('name = "mine"\n', ["source"]),
        (HEAD.replace('"mine"', '"../etc"'), ["name"]),
        (HEAD.replace('"mine"', '""'), ["name"]),
        (HEAD + '[submission]\nform = "words"\n', ["submission.form"]),
        (HEAD + '[submission]\ntargets = "label"\n', ["submission.targets"]),
        (HEAD + '[classes]\nnames = "ill"\n', ["classes.names"]),
        (TWO + '[classes.pools]\nall = ["ill", "dead"]\n', ["pools", "'dead'"]),
        (TWO + '[classes.folders]\ndead = "x"\n', ["folders", "'dead'"]),
        (TWO + '[classes.pools]\na = ["ill"]\nb = ["ill"]\n', ["classes", "twice"]),
        (TWO + MERGE + 'classes = {A = "dead"}\n', ["merge", "'other'", "'dead'"]),
        (HEAD + MERGE + 'classes = {A = "ill"}\n', ["merge", "'ill'", "names"]),
        (TWO + MERGE, ["merge.0.classes"]),
        (TWO + MERGE + "classes = {}\n", ["merge.0.classes"]),
        (TWO + MERGE + 'classes = {A = "ill"}\ntrain = ["x/*"]\n', ["merge.0.train", "{class}"]),
        (TWO + MERGE + 'classes = {A = "ill"}\nlimit = 0\n', ["merge.0.limit"]),
        (TWO + MERGE + "classes = {A = 'ill'}\npatient = '(x'\n", ["merge.0.patient"]),
        (TWO + 2 * (MERGE + 'classes = {A = "ill"}\n'), ["merge", "source"]),
        (HEAD + '[metric]\nname = "acuracy"\n', ["metric", "'acuracy'", "accuracy"]),
        (HEAD + '[metric]\nname = "log_loss"\n', ["metric", "'log_loss'", "probabilities"]),
        (
            HEAD + '[metric]\nname = "auc"\n[submission]\nform = "class_id"\n',
            ["metric", "'auc'", "probabilities"],
        ),
    ],
    ids=[
        "unknown key",
        "unknown key on top",
        "unknown kind",
        "no name",
        "no source",
        "a path for a name",
        "an empty name",
        "unknown form",
        "unknown key of the submission",
        "text for a list",
        "a pool of a strange class",
        "a folder of a strange class",
        "a class in two pools",
        "a merge into a strange class",
        "a merge into classes that are not named",
        "a merge of no classes",
        "a merge of an empty list of classes",
        "a merge by a pattern without classes",
        "a merge of no images",
        "a merge with a broken patient pattern",
        "two merges of one name",
        "unknown metric",
        "log_loss of classes",
        "auc of class ids",
    ],
)
def test_a_wrong_entry_is_refused_in_one_sentence_that_names_it(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingError) as caught:
        load_competition(path)
    one_sentence_about(caught.value, str(path), *words)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + '[classes]\nnames = ["ill", "ill"]\n',
        TWO + '[classes.pools]\nwell = ["ill"]\n',
        TWO + '[submission]\nform = "probability"\npositive = "dead"\n',
        TWO + '[metric]\nname = "f1"\npositive = "dead"\n',
        TWO + '[metric]\nname = "macro_f1"\npositive = "ill"\n',
        TWO + "[layout]\npatient = '(person'\n",
        TWO + "[layout]\npatient = 'person'\n",
    ],
    ids=[
        "a class named twice",
        "a pool named like a class outside it",
        "a positive class that is no target",
        "a metric of a class that is no target",
        "a metric of all targets for one of them",
        "not a pattern",
        "a pattern without a group",
    ],
)
def test_entries_that_cannot_work_are_refused_when_they_are_read(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingError):
        load_competition(written(tmp_path, text))


@pytest.mark.parametrize("metric", ["auc", "log_loss"])
@pytest.mark.parametrize("form", ["probability", "one_column_a_class"])
def test_metrics_of_probabilities_go_with_forms_that_hold_them(
    tmp_path: Path, metric: str, form: str
) -> None:
    text = HEAD + f'[metric]\nname = "{metric}"\n[submission]\nform = "{form}"\n'
    assert load_competition(written(tmp_path, text)).metric.name == metric


def test_a_metric_of_one_target_is_that_of_the_one_named(tmp_path: Path) -> None:
    truth, decided = np.array([0, 0, 1, 1, 1]), np.eye(2)[[0, 1, 1, 1, 0]]
    recalls = {'positive = "ill"': 1 / 2, 'positive = "well"': 2 / 3, "": 2 / 3}
    for line, recall in recalls.items():
        text = f'{TWO}[metric]\nname = "recall"\n{line}\n'
        competition = load_competition(written(tmp_path, text))
        assert competition.evaluation_metric()(truth, decided) == pytest.approx(recall)


def test_classes_without_pools_are_targets_in_their_order() -> None:
    assert Classes(names=["b", "a"]).targets() == {"b": ["b"], "a": ["a"]}


def test_a_list_of_hashes_is_in_the_folder_of_the_toml(tmp_path: Path) -> None:
    mine = written(tmp_path, HEAD + 'sha256sums = "mine.sha256"\n')
    competition = load_competition(mine)
    assert hashes_file(str(mine), competition) == mine.parent / "mine.sha256"
    assert hashes_file("demo", competition) == PRESETS / "mine.sha256"
    assert hashes_file("demo", load_competition("demo")) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 'at name: it is missing; write name = "..."'),
        ('name = "a"\n', "at source: it is missing; write [source]"),
        (HEAD + '[merge]\ndata = "x"\n', "at merge: it has to be a list; write [[merge]]"),
        ('name = "my comp"\n[source]\nkind = "folder"\n', "write 'my-comp'"),
        (HEAD + "[layout]\ntrain = 'x'\n", 'write train = ["x"]'),
        (HEAD + "[layout]\ntrian = ['x']\n", "the nearest are train"),
        (HEAD + "[layout]\ntrain = ['a**']\n", "** stands for folders"),
        (HEAD + "[layout]\ntrain = ['C:/x/*']\n", "relative to the data folder"),
    ],
)
def test_mistakes_are_told_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_competition(written(tmp_path, text))
    one_sentence_about(caught.value, told)


def test_a_path_is_the_folder_and_a_name_of_two_meanings_is_refused(in_folder: Path) -> None:
    (in_folder / "demo" / "ill").mkdir(parents=True)
    assert load_competition("demo").source.kind == "demo"
    (in_folder / "demo" / "ill" / "1.png").write_bytes(b"")
    with pytest.raises(
        SettingError, match=r"\./demo for the folder, or .*demo\.toml for the preset"
    ):
        load_competition("demo")
    assert load_competition("./demo").folder == in_folder / "demo"
    (in_folder / "demo.toml").write_text(HEAD)
    assert load_competition(in_folder / "demo").folder == in_folder / "demo"


def test_a_toml_of_kind_folder_describes_its_own_folder_or_another(tmp_path: Path) -> None:
    assert load_competition(written(tmp_path, HEAD)).images == tmp_path
    assert load_competition(written(tmp_path, HEAD + 'path = "x"\n')).images == tmp_path / "x"
