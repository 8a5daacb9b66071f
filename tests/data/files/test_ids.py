"""Ids are matched as they are written, or as numbers whose leading zeros were lost."""

from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.data.files.ids import match_ids

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
