"""One seed, many streams."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.seeding import derive_seed, generator

WORDS = st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=3)


@settings(deadline=None, max_examples=100)
@given(st.integers(-(2**40), 2**40), WORDS)
def test_a_derived_seed_fits_into_31_bits(seed: int, purpose: list[str | int]) -> None:
    assert 0 <= derive_seed(seed, *purpose) < 2**31


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 99), WORDS, st.integers(0, 99), WORDS)
def test_seeds_agree_only_where_seed_and_purpose_do(
    seed: int, purpose: list[str | int], other_seed: int, other_purpose: list[str | int]
) -> None:
    same = (seed, purpose) == (other_seed, other_purpose)
    assert (derive_seed(seed, *purpose) == derive_seed(other_seed, *other_purpose)) is same


def test_a_derived_seed_is_the_same_on_every_machine() -> None:
    assert derive_seed(0, "folds") == 1143518560
    assert derive_seed(7, "image", 3, 1) == 2066265


def test_the_borders_between_words_count() -> None:
    seeds = {derive_seed(0, "ab", "c"), derive_seed(0, "a", "bc"), derive_seed(0, "abc")}
    assert len(seeds) == 3


def test_a_number_and_its_digits_are_two_purposes() -> None:
    assert derive_seed(0, "fold", 1) != derive_seed(0, "fold", "1")


def test_seeds_of_many_images_do_not_collide() -> None:
    assert len({derive_seed(0, "image", i) for i in range(2000)}) == 2000


def test_a_generator_repeats_itself_and_no_other() -> None:
    drawn = generator(3, "bootstrap").random(100)
    np.testing.assert_array_equal(drawn, generator(3, "bootstrap").random(100))
    assert abs(np.corrcoef(drawn, generator(3, "folds").random(100))[0, 1]) < 0.4
    assert not np.array_equal(drawn, generator(4, "bootstrap").random(100))
