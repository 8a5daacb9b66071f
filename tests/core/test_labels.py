"""Class names are in the order a person expects, and numbers keep their values."""

from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.labels import class_numbers, in_order


@given(st.lists(st.integers(-50, 50), unique=True, min_size=1))
def test_whole_numbers_are_sorted_by_value_and_keep_it(numbers: list[int]) -> None:
    names = in_order(map(str, numbers))
    assert names == [str(number) for number in sorted(numbers)]
    assert class_numbers(names) == sorted(numbers)


@given(st.lists(st.text(min_size=1), unique=True))
def test_with_a_word_among_them_names_are_sorted_as_text_and_numbered_from_0(
    others: list[str],
) -> None:
    names = list({"normal", *others})
    assert in_order(names) == sorted(names)
    assert class_numbers(in_order(names)) == list(range(len(names)))


def test_numbers_as_pandas_writes_them_with_gaps_are_the_same_numbers() -> None:
    assert class_numbers(in_order(["10.0", "2.0", "1.0"])) == [1, 2, 10]


def test_grades_that_are_no_whole_numbers_are_numbered_from_0() -> None:
    assert class_numbers(in_order(["1.5", "0.5"])) == [0, 1]
