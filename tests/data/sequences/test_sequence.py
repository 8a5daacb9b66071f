"""The balanced sequence as Keras and a user's own loop meet it."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.trainers.data_adapters.py_dataset_adapter import OrderedEnqueuer

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.data import BalancedSequence
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import Targets
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import SAMPLINGS, make_sampler
from kagglecxr.data.sequences.sequence import (
    OneHot,
    OrderedSequence,
    Pixels,
    SampledSequence,
)
from tests.data.samplers.test_balanced import problems, shuffled_labels

Batch = tuple[npt.NDArray[Any], npt.NDArray[Any]]

LABELS = np.array([0, 1, 1, 2, 2, 2, 2, 2, 1, 0, 2, 1, 2])
SEED, EPOCHS = 11, 3


def numbered(images: int) -> npt.NDArray[np.uint8]:
    """Images of 2 x 3 pixels that all hold their own number."""
    return np.full((images, 2, 3), np.arange(images, dtype=np.uint8)[:, None, None])


def noisy(images: Pixels, targets: OneHot, random: np.random.Generator) -> tuple[Pixels, OneHot]:
    return images + random.integers(0, 100, images.shape, np.uint8), targets


def make(**options: Any) -> BalancedSequence:
    settings_ = {"seed": SEED, "transform": noisy, **options}
    return BalancedSequence(numbered(len(LABELS)), LABELS, 4, **settings_)


def expected_batches(first: int = 0) -> list[list[Batch]]:
    """The batches of each epoch from the first on, read in order by a plain loop."""
    sequence, epochs = make(), []
    sequence.epoch = first
    for _ in range(EPOCHS):
        epochs.append([sequence[i] for i in range(len(sequence))])
        sequence.on_epoch_end()
    return epochs


def assert_same(got: Batch, wanted: Batch) -> None:
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_an_epoch_of_other_length_goes_on_where_the_one_before_ended(steps: int) -> None:
    whole = [batch for epoch in expected_batches() for batch in epoch]
    labels = Targets(LABELS, None)
    cut = SampledSequence(
        numbered(len(LABELS)), BalancedSampler(labels, 4, SEED), transform=noisy, steps=steps
    )
    assert len(cut) == steps
    got = []
    while len(got) + steps <= len(whole):
        got += [cut[i] for i in range(steps)]
        cut.on_epoch_end()
    for one, other in zip(got, whole, strict=False):
        assert_same(one, other)


@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.integers(1, 7),
    st.integers(0, 1000),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_every_batch_is_full_one_hot_balanced_and_of_untouched_images(
    counts: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    images = numbered(len(labels))
    sequence = BalancedSequence(images, labels, batch_size, seed=seed)
    sequence.epoch = epoch
    seen = []
    for x, y in (sequence[i] for i in range(len(sequence))):
        assert x.shape == (batch_size, 2, 3, 1)
        assert x.dtype == np.uint8
        assert y.dtype == np.float32
        assert y.shape == (batch_size, len(counts))
        rows = x[:, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(x[..., 0], images[rows])
        np.testing.assert_array_equal(y, np.eye(len(counts))[labels[rows]])
        assert np.ptp(y.sum(axis=0)) <= 1
        seen.extend(rows)
    assert set(seen) == set(range(len(labels)))


def test_a_batch_of_pooled_targets_has_one_column_a_pool_and_balances_inside_it() -> None:
    sequence = make(pools=[[0, 1], [2]], transform=None)
    assert sequence.num_targets == 2
    for x, y in (sequence[i] for i in range(len(sequence))):
        classes = LABELS[x[:, 0, 0, 0]]
        np.testing.assert_array_equal(y, np.eye(2)[(classes == 2).astype(int)])
        assert y.sum(axis=0).tolist() == [2, 2]
        assert abs(int(np.sum(classes == 0)) - int(np.sum(classes == 1))) <= 1


def test_colour_images_keep_their_channels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    x, _ = BalancedSequence(images, np.array([0, 1, 1]), 4)[0]
    assert x.shape == (4, 4, 5, 3)
    assert all(any(np.array_equal(item, image) for image in images) for item in x)


def test_a_read_only_memory_map_is_read_and_never_written(tmp_path: Any) -> None:
    np.save(tmp_path / "images.npy", numbered(len(LABELS)))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    sequence = BalancedSequence(images, LABELS, 4, seed=SEED)
    x, _ = sequence[0]
    x[:] = 0
    np.testing.assert_array_equal(images, numbered(len(LABELS)))
    assert_same(sequence[1], make(transform=None)[1])


@given(st.permutations(range(EPOCHS * 6)))
@settings(max_examples=15, deadline=None)
def test_a_batch_is_the_same_in_any_order_of_access(order: list[int]) -> None:
    expected = expected_batches()
    sequence = make()
    for place in order:
        epoch, batch = divmod(place, 6)
        sequence.epoch = epoch
        assert_same(sequence[batch % len(sequence)], expected[epoch][batch % len(sequence)])


def test_the_end_of_an_epoch_moves_to_other_batches() -> None:
    first, second = expected_batches()[:2]
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 4])
def test_a_keras_enqueuer_hands_out_the_same_batches_for_any_number_of_workers(
    workers: int,
) -> None:
    if workers == 0:
        sequence = make(workers=0)
        adapter = keras.src.trainers.data_adapters.get_data_adapter(sequence)
    else:
        sequence = make(workers=workers, max_queue_size=3)
    for wanted in expected_batches():
        if workers == 0:
            adapter.on_epoch_begin()
            got = list(adapter.get_numpy_iterator())
            adapter.on_epoch_end()
        else:
            enqueuer = OrderedEnqueuer(sequence, workers=workers)
            enqueuer.start()
            batches = enqueuer.get()
            got = [next(batches) for _ in wanted]
            enqueuer.stop()
            sequence.on_epoch_end()
        for one, other in zip(got, wanted, strict=True):
            assert_same(one, other)


class Recorder(keras.Model):  # type: ignore[misc]
    """Trains on nothing, and keeps every batch it was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    def call(self, x: Any) -> Any:
        return x

    def train_step(self, data: Any) -> dict[str, float]:
        self.batches.append((np.array(data[0]), np.array(data[1])))
        return {"loss": 0.0}


def fed_by_fit(sequence: SampledSequence, **options: Any) -> list[Batch]:
    """Every batch a model is fed, in order."""
    model = Recorder()
    model.compile(optimizer="sgd", run_eagerly=True)
    model.fit(sequence, verbose=0, **options)
    return model.batches


def batches_seen_by_fit(workers: int, shuffle: bool) -> tuple[int, list[list[Batch]]]:
    """The sequence's epoch that fit begins with, and what a model is fed in each epoch."""
    sequence = make(workers=workers, max_queue_size=2)
    fed = fed_by_fit(sequence, epochs=EPOCHS, shuffle=shuffle)
    assert len(fed) == EPOCHS * len(sequence)
    # Keras 3.15 tells a sequence of an epoch's end once before the first epoch.
    first = sequence.epoch - EPOCHS
    assert first in (0, 1)
    return first, [fed[e * len(sequence) :][: len(sequence)] for e in range(EPOCHS)]


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 4])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="train_step is TensorFlow's")
def test_fit_trains_on_the_same_batches_for_any_number_of_workers(workers: int) -> None:
    first, epochs = batches_seen_by_fit(workers, shuffle=False)
    for got, wanted in zip(epochs, expected_batches(first), strict=True):
        for one, other in zip(got, wanted, strict=True):
            assert_same(one, other)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="train_step is TensorFlow's")
def test_fit_that_shuffles_batches_still_trains_on_each_batch_of_the_epoch_once() -> None:
    def contents(batches: list[Batch]) -> list[bytes]:
        return sorted(x.tobytes() + y.tobytes() for x, y in batches)

    first, epochs = batches_seen_by_fit(2, shuffle=True)
    for got, wanted in zip(epochs, expected_batches(first), strict=True):
        assert contents(got) == contents(wanted)


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("first", [0, 2], ids=["from the first epoch", "taken up at the third"])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="train_step is TensorFlow's")
def test_in_step_a_sequence_is_in_the_epoch_that_fit_counts(workers: int, first: int) -> None:
    sequence = make(workers=workers, max_queue_size=2)
    steps = [sequence.in_step()]
    fed = fed_by_fit(
        sequence, initial_epoch=first, epochs=first + 3, shuffle=False, callbacks=steps
    )
    wanted = [batch for epoch in expected_batches(first) for batch in epoch]
    for one, other in zip(fed, wanted, strict=True):
        assert_same(one, other)


@given(
    problem=problems(),
    sampling=st.sampled_from(SAMPLINGS.names()),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 3),
    workers=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_any_sampling_goes_through_any_number_of_workers(
    problem: tuple[list[int], list[list[int]] | None, int],
    sampling: str,
    seed: int,
    epoch: int,
    workers: int,
) -> None:
    counts, pools, batch_size = problem
    labels = shuffled_labels(counts, seed)
    wanted, sequence = (
        SampledSequence(
            numbered(len(labels)),
            make_sampler(sampling, labels, pools, batch_size, seed),
            transform=noisy,
            workers=workers,
        )
        for _ in range(2)
    )
    wanted.epoch = sequence.epoch = epoch
    enqueuer = OrderedEnqueuer(sequence, workers=workers, max_queue_size=2)
    enqueuer.start()
    batches = enqueuer.get()
    got = [next(batches) for _ in range(len(sequence))]
    enqueuer.stop()
    for number, batch in enumerate(got):
        assert_same(batch, wanted[number])
        assert {len(part) for part in batch} == {batch_size}


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 4])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="train_step is TensorFlow's")
def test_a_transform_that_fails_late_ends_fit_and_never_hangs_it(workers: int) -> None:
    def fail(images: Pixels, targets: OneHot, random: np.random.Generator) -> Batch:
        if failing.epoch == 1:
            raise DataError("broken on purpose")
        return images, targets

    failing = make(transform=fail, workers=workers, max_queue_size=2)
    steps = [failing.in_step()]
    with pytest.raises(Exception, match="broken on purpose"):
        fed_by_fit(failing, epochs=2, shuffle=False, callbacks=steps)


def test_class_weights_come_third_and_reach_the_loss() -> None:
    sampler = make_sampler("class_weights", LABELS, [[0, 1], [2]], 4, SEED)
    sequence = SampledSequence(numbered(len(LABELS)), sampler)
    assert sampler.weights is not None
    for x, y, weights in (sequence[i] for i in range(len(sequence))):
        rows = x[:, 0, 0, 0]
        np.testing.assert_array_equal(weights, sampler.weights[rows])
        np.testing.assert_array_equal(y, np.eye(2)[(LABELS[rows] == 2).astype(int)])
    model = keras.Sequential([keras.Input((2, 3, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, kernel_initializer="zeros", activation="softmax"))
    model.compile("sgd", "categorical_crossentropy")
    x, y, weights = sequence[0]
    loss = model.evaluate(x, y, sample_weight=weights, verbose=0)
    assert loss == pytest.approx(np.log(2) * weights.mean(), rel=1e-5)


def test_a_rate_moves_the_sequence_from_balanced_to_natural() -> None:
    labels = np.repeat([0, 1], [30, 6])
    sequence = BalancedSequence(numbered(36), labels, 4, rate=linear_rate(epochs=3))
    shares = []
    for _ in range(4):
        batches = [sequence[i] for i in range(len(sequence))]
        assert {len(x) for x, _ in batches} == {4}
        assert len({int(row) for x, _ in batches for row in x[:, 0, 0, 0]}) == 36
        shares.append(float(np.concatenate([y for _, y in batches])[:, 1].mean()))
        sequence.on_epoch_end()
    assert len(sequence) == 15
    assert shares == pytest.approx([1 / 2, 1 / 3, 1 / 6, 1 / 6], abs=1 / 60)


def test_always_balanced_is_what_no_rate_means() -> None:
    plain, progressive = make(), make(rate=None)
    assert_same(plain[0], progressive[0])


def test_rows_choose_the_images_that_labels_are_for() -> None:
    images, rows = numbered(20), np.array([17, 3, 8, 5])
    labels = np.array([1, 0, 0, 1])
    chosen = BalancedSequence(images, labels, 4, seed=2, rows=rows)
    copied = BalancedSequence(images[rows], labels, 4, seed=2)
    assert sorted(set(chosen[0][0][:, 0, 0, 0].tolist())) == [3, 5, 8, 17]
    assert_same(chosen[0], copied[0])


def test_a_transform_gets_the_batch_and_a_generator_fixed_by_seed_epoch_and_batch() -> None:
    draws = []

    def record(images: Pixels, targets: OneHot, random: np.random.Generator) -> Batch:
        assert images.shape == (4, 2, 3, 1)
        assert targets.shape == (4, 3)
        draws.append(int(random.integers(2**62)))
        return images, targets

    sequence = make(transform=record)
    for _ in range(2):
        for i in (0, 1, 1, 0):
            sequence[i]
        sequence.on_epoch_end()
    first, second = draws[:4], draws[4:]
    assert first[0] == first[3]
    assert first[1] == first[2]
    assert len({*first, *second}) == 4
    make(transform=record, seed=SEED + 1)[0]
    assert draws[-1] not in draws[:-1]


def test_batches_count_from_the_end_too_and_stop_where_the_epoch_does() -> None:
    sequence = make()
    assert_same(sequence[-1], sequence[len(sequence) - 1])
    for wrong in (len(sequence), -len(sequence) - 1):
        with pytest.raises(IndexError, match=str(wrong)):
            sequence[wrong]


def test_options_of_pydataset_reach_it() -> None:
    sequence = make(workers=3, max_queue_size=5)
    assert isinstance(sequence, keras.utils.PyDataset)
    assert (sequence.workers, sequence.max_queue_size) == (3, 5)


@pytest.mark.parametrize(
    "labels", [np.zeros(4, int), np.zeros((5, 1), int)], ids=["too few", "2-D"]
)
def test_labels_of_another_length_or_shape_are_refused(labels: npt.NDArray[np.int64]) -> None:
    with pytest.raises(DataError, match="one label per image"):
        BalancedSequence(numbered(5), labels, 2)


def test_labels_that_do_not_match_rows_are_refused() -> None:
    with pytest.raises(DataError, match="one label per image"):
        BalancedSequence(numbered(5), np.zeros(5, int), 2, rows=np.array([0, 1]))


def test_float_labels_are_refused() -> None:
    with pytest.raises(DataError, match="float64"):
        BalancedSequence(numbered(2), np.array([0.0, 1.0]), 2)  # type: ignore[arg-type]


def test_a_class_without_images_or_twice_in_the_pools_is_refused() -> None:
    with pytest.raises(DataError, match="class 1"):
        BalancedSequence(numbered(2), np.array([0, 2]), 2)
    with pytest.raises(SettingError, match="once"):
        BalancedSequence(numbered(2), np.array([0, 1]), 2, pools=[[0, 1], [0]])


@pytest.mark.parametrize("batch_size", [0, -3])
def test_a_batch_size_below_one_is_refused(batch_size: int) -> None:
    with pytest.raises(SettingError, match=f"batch_size={batch_size}"):
        BalancedSequence(numbered(2), np.array([0, 1]), batch_size)


def test_refusals_are_both_cxr_errors_and_value_errors() -> None:
    with pytest.raises(CxrError) as caught:
        BalancedSequence(numbered(2), np.array([0, 1]), 0)
    assert isinstance(caught.value, ValueError)


def test_an_ordered_sequence_hands_out_each_row_once_and_the_rest_last() -> None:
    rows = np.array([4, 0, 3, 2, 1])
    sequence = OrderedSequence(numbered(5), rows, 2)
    assert len(sequence) == 3
    batches = [sequence[i][0] for i in range(3)]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches)[:, 0, 0, 0], rows)


def test_an_ordered_sequence_brings_targets_and_applies_its_view() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4), np.uint8)
    targets = np.eye(3, dtype=np.float32)
    sequence = OrderedSequence(
        images, np.arange(3), 2, targets=targets, view=lambda batch: batch[:, :, ::-1]
    )
    x, y = sequence[1]
    np.testing.assert_array_equal(x[..., 0], images[2:, :, ::-1])
    np.testing.assert_array_equal(y, targets[2:])
