"""Report 3's chains: any size in, the lungs alone seen, one flat model."""

import cv2
import keras
import numpy as np
import pytest

from kagglecxr.models import create_model

CHAINS = ("masked_separable_cnn", "xception45")


@pytest.mark.parametrize(
    "name", ["masked_separable_cnn", pytest.param("xception45", marks=pytest.mark.slow)]
)
def test_images_of_any_size_are_predicted(name: str) -> None:
    model = create_model(name, num_classes=2, input_shape=(None, None, 1))
    for height, width in ((299, 299), (90, 131)):
        images = np.random.default_rng(0).integers(0, 256, (1, height, width, 1), dtype=np.uint8)
        # Called as it is: to trace a graph for each size takes longer than all the rest.
        answer = np.asarray(model(images.astype(np.float32), training=False))
        np.testing.assert_allclose(answer.sum(), 1.0, rtol=1e-5)


def test_the_classifier_sees_the_lungs_equalised_and_nothing_else() -> None:
    model = create_model("masked_separable_cnn", num_classes=2, input_shape=(None, None, 1))
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 1), dtype=np.uint8)
    seen = keras.Model(
        model.inputs, [model.get_layer("lungs").output, model.get_layer("equalise").output]
    )
    mask, equalised = seen.predict(image[None], verbose=0)
    lungs = image * (mask[0] > 0.5).astype(np.uint8)
    np.testing.assert_array_equal(equalised[0, ..., 0], cv2.equalizeHist(lungs))


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize(
    "trainable",
    ["all", *(pytest.param(name, marks=pytest.mark.slow) for name in ("head", "last_conv"))],
)
def test_the_u_net_never_learns(name: str, trainable: str) -> None:
    model = create_model(name, num_classes=2, input_shape=(64, 64, 1), trainable=trainable)
    lungs = keras.Model(model.inputs, model.get_layer("lungs").output)
    assert not lungs.trainable_weights
    assert model.trainable_weights
