"""What names of folders say, and the tree of folders."""

import doctest

import pytest

from kagglecxr.data.files import folder_tree
from kagglecxr.data.files.folder_tree import Folder, split_of


@pytest.mark.parametrize("name", ["train", "Training", "train_images", "train-set", "VAL", "dev"])
def test_parts_of_the_training_set(name: str) -> None:
    assert split_of(name) == "train"


@pytest.mark.parametrize("name", ["testis", "trained", "validity", "normal", "contest", ""])
def test_other_names_are_no_parts(name: str) -> None:
    assert split_of(name) == ""


def test_a_folder_knows_its_folders_and_its_own_images() -> None:
    folder = Folder("a/", ["a/1.png", "a/b/2.png", "a/b/c/3.png"])
    assert folder.own_images == ["a/1.png"]
    assert list(folder.sub_folders) == ["b"]
    assert folder.sub_folders["b"].own_images == ["a/b/2.png"]
    assert not folder.holds_folders_alone
    assert Folder("", ["b/2.png"]).holds_folders_alone
    assert not Folder("", ["images/2.png"]).holds_folders_alone


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(folder_tree).failed == 0
