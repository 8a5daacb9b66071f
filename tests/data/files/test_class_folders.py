"""Which folders are classes and parts, from the paths of images alone."""

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.class_folders import FoldersFound, find_class_folders


def found(*paths: str, **named: str) -> FoldersFound:
    return find_class_folders(paths, named)


def labels(images: FoldersFound) -> dict[str, str]:
    return {path: image.label for path, image in images.images.items()}


def in_test_set(images: FoldersFound) -> set[str]:
    return {path for path, image in images.images.items() if image.split == "test"}


def test_a_folder_a_class_at_any_depth() -> None:
    images = found("ill/1.png", "ill/deep/2.png", "well/3.png")
    assert labels(images) == {"ill/1.png": "ill", "ill/deep/2.png": "ill", "well/3.png": "well"}
    assert not in_test_set(images)


@pytest.mark.parametrize("inside", ["", "archive/", "a/b/c/"])
@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "Valid", "TEST")]
)
def test_parts_of_class_folders(inside: str, train: str, val: str, test: str) -> None:
    paths = [f"{inside}{part}/{name}/1.png" for part in (train, val, test) for name in ("i", "w")]
    images = found(*paths)
    assert labels(images) == {path: path.split("/")[-2] for path in paths}
    assert in_test_set(images) == set(paths[4:])
    assert images.parts == {"train": [train, val], "test": [test]}
    assert images.inside == inside


def test_a_test_part_without_classes_is_unlabelled() -> None:
    images = found("train/ill/1.png", "train/well/2.png", "test/3.png", "test/more/4.png")
    assert in_test_set(images) == {"test/3.png", "test/more/4.png"}
    assert {labels(images)[path] for path in in_test_set(images)} == {""}


def test_classes_may_hold_the_parts() -> None:
    images = found("ill/train/1.png", "ill/test/2.png", "well/train/3.png", "well/test/4.png")
    assert labels(images)["ill/test/2.png"] == "ill"
    assert in_test_set(images) == {"ill/test/2.png", "well/test/4.png"}


@pytest.mark.parametrize("masks", ["masks", "Masks", "mask", "Lung Masks"])
@pytest.mark.parametrize("images", ["images", "Images", "imgs"])
def test_masks_are_no_images_of_a_class(images: str, masks: str) -> None:
    kept = found(f"ill/{images}/1.png", f"ill/{masks}/1.png", "well/2.png", f"well/{masks}/2.png")
    assert set(kept.images) == {f"ill/{images}/1.png", "well/2.png"}


def test_what_is_no_class_is_left_out_by_name() -> None:
    images = found("ill/1.png", "well/2.png", "results/roc.png", "preview.png", "masks/1.png")
    assert images.left_out == ["masks/", "results/", "1 images in no folder"]


def test_a_competition_s_own_names_go_before_all_else() -> None:
    images = found("results/1.png", "models/2.png", "other/3.png", results="a", models="b")
    assert labels(images) == {"results/1.png": "a", "models/2.png": "b"}
    deeper = found("x/CT_a/1.png", "x/CT_b/2.png", "y/3.png", CT_a="a", CT_b="b")
    assert (deeper.inside, set(labels(deeper).values())) == ("x/", {"a", "b"})


def test_hospitals_of_class_folders_are_not_taken_for_classes() -> None:
    paths = [f"{place}/{name}/1.png" for place in ("north", "south") for name in ("ill", "well")]
    with pytest.raises(
        DataError, match=r"north, south, of which several hold ill, well.*\*/\{class\}/\*"
    ):
        found(*paths)


def test_a_single_class_is_not_looked_into() -> None:
    assert labels(found("ill/a/1.png")) == {"ill/a/1.png": "ill"}
    assert labels(found("ill/images/1.png", "ill/masks/1.png")) == {"ill/images/1.png": "ill"}


@pytest.mark.parametrize(
    "paths",
    [
        ("train/1.png", "test/2.png"),
        ("train/images/1.png", "train/labels/1.png", "valid/images/2.png"),
        ("data/train/1.png", "data/test/2.png"),
    ],
)
def test_parts_without_class_folders_are_not_taken_for_classes(paths: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"train/.*without class folders.*labels"):
        found(*paths)


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (("images_001/images/1.png", "images_002/images/2.png"), r"images_001/, images_002/"),
        (("north/i/1.png", "north/w/2.png", "south/i/3.png", "south/w/4.png", "south/x/5.png"),
         r"north, south, of which several hold i, w"),
        (("lungs/Train/i/1.png", "lungs/Test/i/2.png", "infected/set/Train/i/3.png"),
         r"infected, lungs|lungs, infected"),
    ],
)  # fmt: skip
def test_what_holds_each_class_is_no_class(paths: tuple[str, ...], told: str) -> None:
    with pytest.raises(DataError, match=told):
        found(*paths)


def test_a_test_set_may_stand_beside_class_folders() -> None:
    images = found("ill/1.png", "well/2.png", "test/3.png")
    assert labels(images) == {"ill/1.png": "ill", "well/2.png": "well", "test/3.png": ""}
    assert in_test_set(images) == {"test/3.png"}
    assert images.parts == {"test": ["test"]}


def test_parts_may_be_called_sets_or_images() -> None:
    images = found(
        "training_set/i/1.png", "val-images/i/2.png", "test_set/i/3.png", "train_x/4.png"
    )
    assert images.parts == {"train": ["training_set", "val-images"], "test": ["test_set"]}
    assert images.left_out == ["train_x/"]


def test_folders_of_masks_are_no_classes() -> None:
    images = found("CXR_png/1.png", "ManualMask/leftMask/1.png")
    assert set(labels(images).values()) == {"CXR_png"}
