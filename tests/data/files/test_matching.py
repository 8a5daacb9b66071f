"""Ids and paths of tables mean an image where that is unambiguous, and none elsewhere."""

from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.data.files.matching import match_ids, match_paths

NAMES = st.lists(st.text("ab01", min_size=1, max_size=4), unique=True, max_size=8)


@given(NAMES, NAMES)
def test_a_name_that_is_an_id_is_matched_to_itself_and_to_no_other(
    names: list[str], ids: list[str]
) -> None:
    matched = match_ids(names, ids)
    if set(names) & set(ids):
        assert matched == {name: name for name in names if name in ids}
    assert len(set(matched.values())) == len(matched)
    assert set(matched.values()) <= set(ids)


def test_leading_zeros_that_were_lost_are_found_again() -> None:
    names = [f"{number:05d}" for number in range(12)]
    ids = [str(number) for number in range(12)]
    assert match_ids(names, ids) == dict(zip(names, ids, strict=True))


def test_numbers_that_differ_by_leading_zeros_alone_are_not_guessed() -> None:
    assert match_ids(["01", "001"], ["1"]) == {}
    assert match_ids(["1"], ["01", "001"]) == {}


def test_two_lines_that_would_mean_one_image_mean_none() -> None:
    assert match_paths(["north/1.png", "south/1.png"], ["1.png"]) == ["", ""]


def test_a_path_as_it_stands_goes_before_one_with_more_folders() -> None:
    assert match_paths(["1.png", "south/1.png"], ["1.png"]) == ["1.png", ""]
