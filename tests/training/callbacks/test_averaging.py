"""A training ends with the requested weights."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.training.callbacks.averaging import MovingAverage, TopKAverage, lowest_indices
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint

IMAGES = np.random.default_rng(0).random((32, 3)).astype(np.float32)
TARGETS = np.eye(2, dtype=np.float32)[(IMAGES[:, 0] > 0.5).astype(int)]


def _model(**options: object) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation="softmax", name="logits")]
    )
    model.compile(keras.optimizers.Adam(0.1, **options), "categorical_crossentropy")
    return model


class _Weights(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.of_epoch: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.of_epoch.append(self.model.get_weights()[0])


@given(losses=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20), count=st.integers(1, 5))
def test_the_best_are_those_that_none_left_out_beats(losses: list[float], count: int) -> None:
    best = lowest_indices(losses, count)
    assert len(best) == min(count, len(losses))
    left_out = [loss for place, loss in enumerate(losses) if place not in best]
    assert all(losses[place] <= loss for place in best for loss in left_out)


@pytest.mark.parametrize("count", [1, 2])
def test_the_mean_of_the_best_epochs_comes_back(tmp_path: Path, count: int) -> None:
    model, seen, resume = _model(), _Weights(), ResumeCheckpoint(tmp_path)
    model.set_weights([0.0 * array for array in model.get_weights()])
    best = TopKAverage(tmp_path, count, resume)
    # Validation labels are the wrong way round, so that the first epochs are the best.
    model.fit(
        IMAGES, TARGETS, epochs=4, shuffle=False, verbose=0,
        validation_data=(IMAGES, TARGETS[:, ::-1]), callbacks=[seen, best, resume],
    )  # fmt: skip
    places = lowest_indices(resume.losses, count)
    assert len(list(tmp_path.glob("best-*"))) == count
    best.restore(model)
    expected = np.mean([seen.of_epoch[place] for place in places], axis=0)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-6)
    assert not np.allclose(expected, seen.of_epoch[-1])


def test_what_is_kept_and_ends_the_training_is_the_moving_average(tmp_path: Path) -> None:
    plain, averaged, seen = _model(), _model(use_ema=True, ema_momentum=0.5), _Weights()
    of_batch: list[np.ndarray] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: of_batch.append(plain.get_weights()[0])
    )
    options = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0}
    plain.fit(IMAGES, TARGETS, callbacks=[watch], **options)
    averaged.fit(
        IMAGES, TARGETS, validation_data=(IMAGES, TARGETS), callbacks=[MovingAverage(), seen],
        **options,
    )  # fmt: skip
    expected = _model().get_weights()[0]
    for weights in of_batch:
        expected = 0.5 * expected + 0.5 * weights
    np.testing.assert_allclose(averaged.get_weights()[0], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(seen.of_epoch[-1], expected, rtol=1e-3, atol=1e-5)
