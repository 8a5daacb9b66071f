"""Augmentation as layers inside the model, where a GPU would wait for the CPU's data path."""

from typing import Any

import keras
from keras import KerasTensor, layers, ops

from kagglecxr.core.augmentation_settings import CUTOUT_GREY, AugmentationSettings
from kagglecxr.models.layers.pixel_operations import PixelLayer

# Keras clips brightened and contrasted pixels to this range. These layers stand before any scaling:
# with the range of scaled pixels they would blacken the images.
RAW = (0, 255)
BORDER = {"fill_mode": "nearest"}


def augmentation_layers(settings: AugmentationSettings) -> list[layers.Layer]:
    """Returns the augmentations of the data path as layers, in their order of application.

    They map raw pixels (batch, H, W, C) 0..255 to raw pixels and do nothing outside training. Their
    random numbers come from Keras' seed, not from an image's position in the epoch.

    Args:
        settings: strength of each augmentation; `where`, `mixup` and `cutmix` are ignored.

    >>> [layer.name for layer in augmentation_layers(AugmentationSettings(zoom=0, shift=0))]
    ['augment_hflip', 'augment_rotation', 'augment_contrast', 'augment_brightness']
    """
    chosen = (
        # RandomFlip knows no probability but a half.
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
        ("noise", RandomNoise, {"deviation": 255.0 * settings.noise}),
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
        # In half precision neighbouring gray values would fall together.
        WhileTraining(kind(dtype="float32", **options), name=f"augment_{entry}", dtype="float32")
        for entry, kind, options in chosen
        if getattr(settings, entry)
    ]


@keras.saving.register_keras_serializable(package="kagglecxr")
class WhileTraining(layers.Wrapper):  # type: ignore[misc]
    """Applies a layer in training only.

    Keras' own random layers also act where a call does not say whether it is for training, and tell
    the layers after them that it is: `model(images)` would update batch statistics.

    Args:
        layer: the wrapped layer.
    """

    def call(self, images: KerasTensor, training: bool | None = None) -> KerasTensor:
        """Returns the changed images in training, otherwise the images."""
        return self.layer(images, training=True) if training else images


class _RandomLayer(PixelLayer):
    """A random change of raw pixels (batch, H, W, C)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator()

    def uniform(self, images: KerasTensor, low: float, high: float) -> KerasTensor:
        """Returns one random number per image, (batch, 1, 1, 1)."""
        return keras.random.uniform(
            (ops.shape(images)[0], 1, 1, 1), low, high, seed=self.seed_generator
        )


@keras.saving.register_keras_serializable(package="kagglecxr")
class RandomHorizontalFlip(_RandomLayer):
    """Flips images left to right.

    Args:
        probability: probability of a flip.
    """

    arguments = ("probability",)

    def __init__(self, probability: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probability = probability

    def call(self, images: KerasTensor, training: bool = True) -> KerasTensor:
        """Returns the images, some of them flipped."""
        flipped = self.uniform(images, 0.0, 1.0) < self.probability
        return ops.where(flipped, ops.flip(images, axis=2), images)


@keras.saving.register_keras_serializable(package="kagglecxr")
class RandomGamma(_RandomLayer):
    """Raises gray values, as shares of white, to a random power.

    Args:
        factor: the power lies between 1 / (1 + factor) and 1 + factor.
    """

    arguments = ("factor",)

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, images: KerasTensor, training: bool = True) -> KerasTensor:
        """Returns the images, each raised to a power of its own."""
        power = ops.power(1.0 + self.factor, self.uniform(images, -1.0, 1.0))
        return 255.0 * ops.power(ops.clip(images, *RAW) / 255.0, power)


@keras.saving.register_keras_serializable(package="kagglecxr")
class RandomNoise(_RandomLayer):
    """Adds Gaussian noise to raw pixels and clips them to 0..255.

    Args:
        deviation: standard deviation, in gray levels.
    """

    arguments = ("deviation",)

    def __init__(self, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deviation = deviation

    def call(self, images: KerasTensor, training: bool = True) -> KerasTensor:
        """Returns the noisy images."""
        noise = keras.random.normal(
            ops.shape(images), stddev=self.deviation, seed=self.seed_generator
        )
        return ops.clip(images + noise, *RAW)
