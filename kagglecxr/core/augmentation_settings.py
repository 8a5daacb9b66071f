"""Augmentation settings, read by the data path and by the layers inside a model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AugmentationSettings(BaseModel):
    """Strength of each augmentation; with all zero, images stay unchanged.

    Attributes:
        where: "data" augments uint8 images on the CPU while batches are made; "model" uses layers
            inside the model, for a GPU that waits for its batches. Custom augmentations and
            mixing are always done in the data path.
        hflip: probability of a horizontal flip.
        rotation: largest angle in degrees, in either direction.
        zoom: largest share of the size, in or out.
        shift: largest share of the size along each axis, in either direction.
        contrast: largest share by which gray values spread about their mean, or contract.
        brightness: largest share of the full scale that is added or subtracted.
        gamma: gray values are raised to a power between 1 / (1 + gamma) and 1 + gamma, with
            median 1.
        noise: standard deviation of Gaussian noise, as a share of the full scale.
        cutout: share of the height and of the width of one box that is filled with gray.
        mixup: alpha of the Beta distribution of the share of two mixed images.
        cutmix: alpha of the Beta distribution of the share of a pasted box.
        custom: strengths of further augmentations by name; see
            `kagglecxr.data.sequences.augmentation.CUSTOM_AUGMENTATIONS`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: Literal["data", "model"] = "data"
    hflip: float = Field(0.5, ge=0, le=1)
    rotation: float = Field(10.0, ge=0, le=180)
    zoom: float = Field(0.1, ge=0, lt=1)
    shift: float = Field(0.05, ge=0, lt=1)
    contrast: float = Field(0.2, ge=0, lt=1)
    brightness: float = Field(0.08, ge=0, lt=1)
    gamma: float = Field(0.0, ge=0, le=4)
    noise: float = Field(0.0, ge=0, le=1)
    cutout: float = Field(0.0, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, le=100)
    cutmix: float = Field(0.0, ge=0, le=100)
    custom: dict[str, float] = {}


CUTOUT_GREY = 128
"""Gray value of a cutout box: the middle of the scale."""
