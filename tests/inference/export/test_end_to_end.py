"""Layers do what a pipeline does, to the bit, or refuse; a whole model takes what they take."""

import dataclasses

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.images.steps import NEED_MASK, STEPS
from kagglecxr.inference.export.end_to_end import (
    STEP_LAYERS,
    RunModels,
    end_to_end_model,
    pipeline_layers,
)
from kagglecxr.inference.novelty import fit_novelty
from kagglecxr.inference.tta import VIEW_SETS, VIEWS


def noise(height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(height * width)
    return np.clip(random.normal(120, 50, (height, width, channels)), 0, 255).astype(np.uint8)


def by_layers(text: str, image: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.float32]:
    pixels = image[None]
    for layer in pipeline_layers(Pipeline.parse(text, 40).steps, channels):
        pixels = layer(pixels)
    return np.asarray(keras.ops.convert_to_numpy(pixels[0]))


@pytest.mark.parametrize("shape", [(63, 90, 1), (63, 90, 3), (31, 50, 3), (40, 40, 1)])
@pytest.mark.parametrize(
    "text",
    [
        "gray | resize",
        "resize | gray",
        "resize | equalise",
        "equalise | resize",
        "gray | gamma(0.7) | resize | clahe(3.0, 4)",
        "gray | resize | stack(20)",
        "resize(48) | gamma(1.4) | gray | resize",
    ],
)
def test_layers_do_what_the_pipeline_does(text: str, shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    expected = Pipeline.parse(text, 40)(image[..., 0] if shape[-1] == 1 else image)
    channels = 1 if expected.ndim == 2 else 3
    got = by_layers(text, image, channels)
    np.testing.assert_array_equal(got, expected.reshape(40, 40, channels))


def test_images_of_other_colours_than_those_of_the_training_are_taken_too() -> None:
    grey, colour = noise(50, 60, 1), noise(50, 60, 3)
    np.testing.assert_array_equal(
        by_layers("resize", grey, 3), np.repeat(by_layers("resize", grey, 1), 3, axis=-1)
    )
    np.testing.assert_array_equal(
        by_layers("resize", colour, 1), by_layers("gray | resize", colour, 1)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gray | resize | mask", "mask.*lung mask"),
        ("gray | lung_box | resize", "lung_box.*lung mask"),
        ("gray | resize | lung_zscore", "lung_zscore.*lung mask"),
        ("gray | trim | resize", "trim.*another size"),
    ],
)
def test_a_step_that_no_layer_does_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        pipeline_layers(Pipeline.parse(text, 40).steps, 1)


def test_every_step_is_either_done_or_refused_for_a_reason() -> None:
    assert set(STEP_LAYERS.names()) | NEED_MASK | {"trim"} == set(STEPS.names())


def constant() -> RunModels:
    inputs = keras.Input((40, 40, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    return RunModels([keras.Model(inputs, keras.layers.Dense(2, "softmax")(pooled))], ["identity"])


@pytest.mark.parametrize("name", VIEW_SETS.names())
def test_a_model_of_views_predicts_the_mean_over_their_array_forms(name: str) -> None:
    inputs = keras.Input((40, 40, 1))
    corner = keras.layers.Cropping2D(((0, 30), (0, 30)))(inputs)
    mean = keras.layers.GlobalAveragePooling2D()(corner)
    model = keras.Model(inputs, keras.layers.Rescaling(1 / 255)(mean), name="corner")
    # As a recipe names it: "hflip" is a view there.
    views = VIEW_SETS[name] if name in VIEWS else [name]
    whole = end_to_end_model(
        Pipeline.parse("gray", 40).steps, [RunModels([model], views)], ["a"], ""
    )
    image = noise(40, 40, 1)[None]
    expected = np.mean([VIEWS[view].array(image)[:, :10, :10].mean() for view in VIEW_SETS[name]])
    np.testing.assert_allclose(whole(image), [[expected / 255]], atol=1e-6)


def test_tiles_of_images_of_any_size_are_refused() -> None:
    with pytest.raises(SettingError, match="resize them"):
        end_to_end_model(Pipeline.parse("clahe | resize", 40).steps, [constant()], ["a", "b"], "")


def test_without_resize_only_images_of_the_training_s_size_are_taken() -> None:
    model = end_to_end_model(Pipeline.parse("gray", 40).steps, [constant()], ["a", "b"], "")
    assert model.input_shape == (None, 40, 40, None)
    assert model(noise(40, 40, 3)[None]).shape == (1, 2)
    with pytest.raises(ValueError, match="40"):
        model(noise(41, 40, 1)[None])


def test_a_model_tells_how_unusual_an_image_is_as_its_folds_do() -> None:
    random, folds, novelties = np.random.default_rng(0), [], []
    for fold in range(2):
        inputs = keras.Input((40, 40, 1))
        pooled = [
            keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(channels, 3)(inputs))
            for channels in (3, 6)
        ]
        output = keras.layers.Dense(2, "softmax")(pooled[0])
        folds.append(keras.Model(inputs, [output, *pooled], name=f"fold-{fold}"))
        # Fewer images than channels: some directions have no variance of their own.
        learned = [random.normal(9, 40, (5, channels)).astype(np.float32) for channels in (3, 6)]
        novelties.append(fit_novelty(learned, learned).relative_to(0.5 + fold))
    images = np.stack([noise(40, 40, 1), noise(40, 41, 1)[:, :40]])
    features = [model(images)[1:] for model in folds]
    expected = np.mean(
        [
            novelty.scores([keras.ops.convert_to_numpy(depth) for depth in depths])
            for novelty, depths in zip(novelties, features, strict=True)
        ],
        axis=0,
    )
    assert np.ptp(expected) > 1e-3
    for views in (["identity", "hflip"], ["hflip"]):
        runs = [RunModels(folds, views, novelties)]
        whole = end_to_end_model(Pipeline.parse("gray", 40).steps, runs, ["a", "b"], "")
        assert whole(images).shape == (2, 2)
        known = keras.Model(whole.input, whole.layers[-1].input)
        np.testing.assert_allclose(known(images)[1], expected, rtol=1e-4)


def masks_of_left_half() -> RunModels:
    inputs = keras.Input((40, 40, 1))
    padded = keras.layers.ZeroPadding2D(((0, 0), (0, 20)))(
        keras.layers.Cropping2D(((0, 0), (0, 20)))(inputs)
    )
    return RunModels([keras.Model(inputs, padded)], ["hflip"])


def test_masks_of_a_view_are_turned_back_or_refused() -> None:
    steps = Pipeline.parse("gray", 40).steps
    image = noise(40, 40, 1)[None]
    masks = keras.ops.convert_to_numpy(
        end_to_end_model(steps, [masks_of_left_half()], ["lungs"], "")(image)
    )
    np.testing.assert_array_equal(masks[:, :, 20:], image[:, :, 20:])
    assert not masks[:, :, :20].any()
    zoomed = dataclasses.replace(masks_of_left_half(), views=["zoom"])
    with pytest.raises(SettingError, match=r"Received: zoom.*hflip or identity"):
        end_to_end_model(steps, [zoomed], ["lungs"], "")
