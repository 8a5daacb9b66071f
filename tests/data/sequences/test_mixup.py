"""Mixed targets say exactly what is to be seen, and a balanced batch stays balanced."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.data.sequences.mixup import OneHot, Pixels, cutmix, mix, mixup

Mixer = Callable[[Pixels, OneHot, np.random.Generator, float], tuple[Pixels, OneHot]]
SHAPES = st.tuples(
    st.integers(1, 9), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])
)
ALPHAS = st.sampled_from([0.05, 0.2, 1.0, 5.0])
MIXERS = pytest.mark.parametrize("mixer", [mixup, cutmix])


def random_batch(shape: tuple[int, ...], seed: int) -> tuple[Pixels, OneHot]:
    random = np.random.default_rng(seed)
    targets = np.eye(4, dtype=np.float32)[random.integers(0, 4, shape[0])]
    return random.integers(0, 256, shape, np.uint8), targets


def flat_batch(shape: tuple[int, ...]) -> tuple[Pixels, OneHot]:
    """Image i is all of grey value 20 i, and its target is i."""
    greys = 20 * np.arange(shape[0], dtype=np.uint8)
    return np.broadcast_to(greys[:, None, None, None], shape).copy(), np.eye(
        shape[0], dtype=np.float32
    )


@MIXERS
@given(shape=SHAPES, seed=st.integers(0, 2**31), alpha=ALPHAS)
@settings(max_examples=60, deadline=None)
def test_a_mixed_batch_keeps_its_form_and_its_balance(
    mixer: Mixer, shape: tuple[int, int, int, int], seed: int, alpha: float
) -> None:
    images, targets = random_batch(shape, seed)
    before = images.copy(), targets.copy()
    mixed, shares = mixer(images, targets, np.random.default_rng(seed), alpha)
    assert (mixed.shape, mixed.dtype) == (shape, np.uint8)
    assert (shares.shape, shares.dtype) == (targets.shape, np.float32)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=0), targets.sum(axis=0), rtol=1e-5, atol=1e-6)
    for now, then in zip((images, targets), before, strict=True):
        np.testing.assert_array_equal(now, then)


@MIXERS
@given(seed=st.integers(0, 2**31), alpha=ALPHAS)
@settings(max_examples=20, deadline=None)
def test_the_same_generator_gives_the_same_bits(mixer: Mixer, seed: int, alpha: float) -> None:
    images, targets = random_batch((5, 8, 9, 1), seed)
    one, same = (mixer(images, targets, np.random.default_rng(seed), alpha) for _ in range(2))
    for first, second in zip(one, same, strict=True):
        np.testing.assert_array_equal(first, second)


@given(SHAPES, st.integers(0, 2**31), ALPHAS)
@settings(max_examples=100, deadline=None)
def test_cutmix_s_targets_are_the_areas_that_are_seen(
    shape: tuple[int, int, int, int], seed: int, alpha: float
) -> None:
    images, targets = flat_batch(shape)
    pasted, shares = cutmix(images, targets, np.random.default_rng(seed), alpha)
    seen = np.stack([(pasted == 20 * item).mean(axis=(1, 2, 3)) for item in range(shape[0])], 1)
    np.testing.assert_array_equal(shares, seen.astype(np.float32))


@given(SHAPES, st.integers(0, 2**31), ALPHAS)
@settings(max_examples=100, deadline=None)
def test_mixup_s_targets_are_the_shares_of_the_greys(
    shape: tuple[int, int, int, int], seed: int, alpha: float
) -> None:
    images, targets = flat_batch(shape)
    mixed, shares = mixup(images, targets, np.random.default_rng(seed), alpha)
    expected = shares @ (20.0 * np.arange(shape[0]))
    assert np.abs(mixed - expected[:, None, None, None]).max() <= 0.5 + 1e-3
    assert np.all(np.ptp(mixed, axis=(1, 2, 3)) == 0)


def kept(mixer: Mixer, alpha: float) -> npt.NDArray[np.float64]:
    """The shares that images keep of themselves, in 300 batches of three."""
    images, targets = flat_batch((3, 40, 40, 1))
    results = [mixer(images, targets, np.random.default_rng(n), alpha)[1] for n in range(300)]
    # An image that meets itself says nothing of the share.
    return np.array([np.diag(r).min() for r in results if not np.array_equal(r, targets)])


def test_shares_are_spread_as_their_beta_distribution() -> None:
    even = kept(mixup, 1.0)
    assert np.histogram(even, bins=4, range=(0, 1))[0].min() > 0.15 * len(even)
    extreme = kept(mixup, 0.1)
    assert np.mean((extreme < 0.1) | (extreme > 0.9)) > 0.6
    assert np.abs(kept(mixup, 50.0) - 0.5).max() < 0.25
    # A box that reaches over the border leaves the image more than was drawn.
    assert 0.5 < kept(cutmix, 50.0).mean() < 0.85


def test_only_what_is_set_is_mixed() -> None:
    images, targets = flat_batch((4, 32, 32, 1))

    def mixed(seed: int, **entries: float) -> tuple[Pixels, OneHot]:
        return mix(images, targets, np.random.default_rng(seed), AugmentationSettings(**entries))

    same = mixed(0)
    assert same[0] is images
    assert same[1] is targets
    for seed in range(5):
        blended, boxed = mixed(seed, mixup=1.0)[0], mixed(seed, cutmix=1.0)[0]
        assert np.all(np.ptp(blended, axis=(1, 2, 3)) == 0)
        assert set(np.unique(boxed)) <= {0, 20, 40, 60}


def test_where_both_are_set_a_coin_decides() -> None:
    images, targets = flat_batch((4, 32, 32, 1))
    both = AugmentationSettings(mixup=5.0, cutmix=5.0)
    batches = [mix(images, targets, np.random.default_rng(n), both)[0] for n in range(200)]
    boxed = [set(np.unique(batch)) <= {0, 20, 40, 60} for batch in batches]
    assert np.mean(boxed) == pytest.approx(0.5, abs=0.12)
