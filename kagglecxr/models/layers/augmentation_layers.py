"""Changes training images inside the model, where a GPU waits for the data path."""

from typing import Any

import keras
from keras import layers, ops

from kagglecxr.core.augmentation_settings import CUTOUT_GREY, AugmentationSettings
from kagglecxr.models.model_card import Tensor

# Keras clips what it brightens and spreads. Given the range of scaled pixels it would blacken raw
# ones, and the reverse: these layers stand before any scaling.
RAW = (0, 255)
BORDER = {"fill_mode": "nearest"}


def augmentation_layers(settings: AugmentationSettings) -> list[layers.Layer]:
    """The changes of `data.batches.augmentation` as layers, in their order of application.

    They take and give raw pixels (batch, H, W, C) 0..255, and do nothing outside training. Their
    chance comes from Keras' seed, not from an item's position.

    Args:
        settings: how far each change may go; `where`, `mixup` and `cutmix` are not looked at.

    >>> [layer.name for layer in augmentation_layers(AugmentationSettings(zoom=0, shift=0))]
    ['augment_hflip', 'augment_rotation', 'augment_contrast', 'augment_brightness']
    """
    chosen = (
        # RandomFlip knows no other probability than a half.
        ("hflip", RandomHorizontalFlip, {"probability": settings.hflip}),
        ("rotation", layers.RandomRotation, {"factor": settings.rotation / 360, **BORDER}),
        ("zoom", layers.RandomZoom, {"height_factor": settings.zoom, **BORDER}),
        (
            "shift",
            layers.RandomTranslation,
            {"height_factor": settings.shift, "width_factor": settings.shift, **BORDER},
        ),
        # A single factor would only ever raise the contrast.
        (
            "contrast",
            layers.RandomContrast,
            {"factor": (settings.contrast, settings.contrast), "value_range": RAW},
        ),
        (
            "brightness",
            layers.RandomBrightness,
            {"factor": settings.brightness, "value_range": RAW},
        ),
        ("gamma", RandomGamma, {"factor": settings.gamma}),
        # Keras' GaussianNoise is for scaled values: it takes deviations up to 1.
        ("noise", GreyNoise, {"deviation": 255.0 * settings.noise}),
        (
            "cutout",
            layers.RandomErasing,
            {
                "factor": (1.0, 1.0),
                "scale": (settings.cutout**2, settings.cutout**2),
                "fill_value": CUTOUT_GREY,
                "value_range": RAW,
            },
        ),
    )
    return [
        # In half precision neighbouring grey values would fall together.
        WhileTraining(kind(dtype="float32", **options), name=f"augment_{entry}", dtype="float32")
        for entry, kind, options in chosen
        if getattr(settings, entry)
    ]


@keras.saving.register_keras_serializable(package="kagglecxr")
class WhileTraining(layers.Wrapper):  # type: ignore[misc]
    """Lets a layer change its input in training alone.

    Keras' own random layers also do so where a call does not say whether it is for training, and
    tell the layers after them that it is: `model(images)` would gather batch statistics.

    Args:
        layer: what changes a batch.
        **kwargs: name and dtype.
    """

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """The changed images in training, else the images."""
        return self.layer(images, training=True) if training else images


class _RandomLayer(layers.Layer):  # type: ignore[misc]
    """A random change of raw pixels (batch, H, W, C)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape

    def uniform(self, images: Tensor, low: float, high: float) -> Tensor:
        """One number an image, (batch, 1, 1, 1)."""
        return keras.random.uniform(
            (ops.shape(images)[0], 1, 1, 1), low, high, seed=self.seed_generator
        )


@keras.saving.register_keras_serializable(package="kagglecxr")
class RandomHorizontalFlip(_RandomLayer):
    """Exchanges left and right.

    Args:
        probability: how often.
        **kwargs: name and dtype.
    """

    def __init__(self, probability: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images: Tensor, training: bool = True) -> Tensor:
        """Some of the images mirrored."""
        mirrored = self.uniform(images, 0.0, 1.0) < self.probability
        return ops.where(mirrored, ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "probability": self.probability}


@keras.saving.register_keras_serializable(package="kagglecxr")
class RandomGamma(_RandomLayer):
    """Raises grey values to a power, as shares of the full scale.

    Args:
        factor: the power is between 1 / (1 + factor) and 1 + factor.
        **kwargs: name and dtype.
    """

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images: Tensor, training: bool = True) -> Tensor:
        """Each image to a power of its own."""
        power = ops.power(1.0 + self.factor, self.uniform(images, -1.0, 1.0))
        return 255.0 * ops.power(ops.clip(images, *RAW) / 255.0, power)

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="kagglecxr")
class GreyNoise(_RandomLayer):
    """Adds Gaussian noise to raw pixels, and cuts what leaves 0..255.

    Args:
        deviation: standard deviation, in grey levels.
        **kwargs: name and dtype.
    """

    def __init__(self, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deviation = deviation

    def call(self, images: Tensor, training: bool = True) -> Tensor:
        """Noise on every value."""
        noise = keras.random.normal(
            ops.shape(images), stddev=self.deviation, seed=self.seed_generator
        )
        return ops.clip(images + noise, *RAW)

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "deviation": self.deviation}
