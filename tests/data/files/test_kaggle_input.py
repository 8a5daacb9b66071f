"""A competition's data are found in whichever way Kaggle mounts them, as raw/ has them."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.competition import Competition, load_competition, preset_names
from kagglecxr.data.files.kaggle_input import locate_input
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.images.pipeline import Pipeline
from tests.data.files.test_layout import described, fill

TRAIN = ["train/ill/1.png", "train/well/2.png"]
TEST = ["test/3.png", "test/4.png"]
LAYOUT = """
    train = ["train/{class}/*"]
    test = ["test/*"]
    sample = "sample_submission.csv"
"""
MOUNTED = [name for name in preset_names() if load_competition(name).source.slug]
FORMS = ["{slug}", "competitions/{slug}", "datasets/mary/{slug}"]


def named(slug: str, layout: str = LAYOUT, names: str = '["ill", "well"]') -> Competition:
    """A competition of that slug."""
    competition = described(layout, names)
    return competition.model_copy(
        update={"source": competition.source.model_copy(update={"slug": slug})}
    )


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Wheels and another data set, which are attached too."""
    fill(tmp_path, "datasets/john/other/scans/a.png", "notes/b/c/d.png")
    wheels = tmp_path / "datasets" / "mary" / "kagglecxr-wheels"
    wheels.mkdir(parents=True)
    (wheels / "kagglecxr-0.1.0-py3-none-any.whl").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_the_folder_is_found_in_each_form(form: str, mounts: Path) -> None:
    root = fill(mounts / form.format(slug="lungs"), *TRAIN, *TEST)
    assert locate_input(named("lungs"), mounts) == root
    assert locate_input(named("mary/lungs"), mounts) == root
    assert locate_input(named(""), mounts) == root


def test_the_cache_s_key_is_that_of_a_local_folder(mounts: Path, tmp_path: Path) -> None:
    competition, pipeline = named("lungs"), Pipeline.parse("gray | resize", 8)
    raw = fill(tmp_path / "at-home" / "raw", *TRAIN, *TEST)
    mounted = fill(mounts / "competitions" / "lungs", *TRAIN, *TEST)
    for root in (raw, mounted):
        (root / "sample_submission.csv").write_text("id,label\n3,ill\n4,ill\n")
    keys = {
        build_cache(
            tmp_path / f"cache-{i}", root, list(find_images(root, competition).table["path"]),
            pipeline, Silent(),
        ).key
        for i, root in enumerate([raw, locate_input(competition, mounts / "competitions")])
    }  # fmt: skip
    assert len(keys) == 1


def test_the_test_set_alone_is_enough(mounts: Path) -> None:
    root = fill(mounts / "competitions" / "lungs", *TEST)
    (root / "sample_submission.csv").write_text("id,label\n")
    assert locate_input(named("lungs"), mounts) == root


def test_the_shallowest_folder_is_taken_and_what_is_below_it_left_alone(mounts: Path) -> None:
    root = fill(mounts / "lungs", *TRAIN, "copy/train/ill/1.png", "copy/train/well/1.png")
    assert locate_input(named("lungs"), mounts) == root


def test_what_the_download_has_packed_into_one_more_folder_is_found(mounts: Path) -> None:
    fill(mounts / "lungs" / "lungs-v2", *TRAIN)
    assert locate_input(named("lungs"), mounts) == mounts / "lungs" / "lungs-v2"


def test_the_slug_s_own_folder_goes_before_others_and_the_fuller_before_the_emptier(
    mounts: Path,
) -> None:
    fill(mounts / "a-copy", *TRAIN, *TEST)
    root = fill(mounts / "lungs", *TEST)
    assert locate_input(named("lungs"), mounts) == root
    assert locate_input(named("elsewhere"), mounts) == mounts / "a-copy"


def test_two_that_are_equally_good_are_refused_by_name(mounts: Path) -> None:
    for name in ("one", "two"):
        fill(mounts / name, *TRAIN)
    with pytest.raises(DataError, match=r"one, .*two"):
        locate_input(named("lungs"), mounts)


def test_class_folders_are_found_by_their_names(mounts: Path) -> None:
    root = fill(mounts / "scans", "ill/images/1.png", "well/deep/er/2.png")
    fill(mounts / "half", "ill/1.png")
    assert locate_input(named("", ""), mounts) == root


def test_class_folders_of_unknown_names_are_those_with_images_right_in_them(tmp_path: Path) -> None:
    root = fill(tmp_path / "datasets" / "mary" / "scans", "ill/1.png", "well/images/2.png")
    fill(tmp_path / "datasets" / "john" / "one-folder", "a.png")
    assert locate_input(named("", "", "[]"), tmp_path) == root


@pytest.mark.parametrize(
    "files",
    [
        ("train/ill/1.png", "train/well/2.png", "test/ill/3.png"),
        ("ill/train/1.png", "ill/test/2.png", "well/train/3.png"),
        ("inner/ill/1.png", "inner/well/2.png"),
        ("ill/Images/1.png", "well/imgs/2.png"),
    ],
)
@pytest.mark.parametrize("names", ["[]", '["ill", "well"]'])
def test_class_folders_are_recognised_as_at_home(
    tmp_path: Path, files: tuple[str, ...], names: str
) -> None:
    root = fill(tmp_path / "datasets" / "mary" / "lungs", *files)
    competition = named("mary/lungs", "", names)
    assert locate_input(competition, tmp_path) == root
    assert set(find_images(root, competition).table["label"]) == {"ill", "well"}


def test_a_test_set_alone_is_found_where_tables_have_the_rest(tmp_path: Path) -> None:
    root = fill(tmp_path / "lungs", "test/1.png")
    layout = 'labels = "train.csv"\ntest = ["test/**"]'
    assert locate_input(named("lungs", layout), tmp_path) == root


def test_folders_and_stars_of_a_pattern_mean_what_they_mean_to_the_layout(mounts: Path) -> None:
    layout = 'train = ["set[1]/{class}-*.png"]\n[classes.folders]\nill = "*ill"'
    competition = named("lungs", layout)
    fill(mounts / "lungs" / "x", "set1/*ill-1.png", "set[1]/very-ill-1.png")
    with pytest.raises(MissingError):
        locate_input(competition, mounts)
    root = fill(mounts / "lungs" / "y", "set[1]/*ill-1.png", "set[1]/well-2.png")
    assert locate_input(competition, mounts) == root
    assert sorted(find_images(root, competition).table["label"]) == ["ill", "well"]


def test_what_is_mounted_is_reported_where_nothing_fits(mounts: Path) -> None:
    with pytest.raises(MissingError) as caught:
        locate_input(named("lungs"), mounts)
    message = str(caught.value)
    assert "datasets/john/other, datasets/mary/kagglecxr-wheels, notes" in message
    assert "Attach lungs" in message
    assert "\n" not in message


def test_nothing_mounted_at_all_is_reported(tmp_path: Path) -> None:
    for mounts in (tmp_path, tmp_path / "none"):
        with pytest.raises(MissingError, match="Received: nothing in"):
            locate_input(named("lungs"), mounts)


def test_there_are_presets_that_kaggle_mounts() -> None:
    assert {"umons-covid19", "covid19-radiography", "chest-xray-pneumonia"} <= set(MOUNTED)


@pytest.mark.parametrize("name", MOUNTED)
def test_each_preset_finds_itself(name: str, tmp_path: Path) -> None:
    competition = load_competition(name)
    for form in FORMS[1:]:
        mounts = tmp_path / form.partition("/")[0]
        files = [
            pattern.replace("{class}", competition.classes.folders.get(label, label)).replace(
                "*", "1.png"
            )
            for pattern in competition.layout.train[-1:]
            for label in competition.classes.names
        ]
        root = fill(mounts / form.format(slug=competition.source.slug.rpartition("/")[2]), *files)
        assert locate_input(competition, mounts) == root
