"""How training images are changed: what the data path and the layers inside a model both read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AugmentationSettings(BaseModel):
    """How far each random change may go; all zero leaves images alone.

    Attributes:
        where: "data" changes uint8 images on the CPU, while batches are made; "model" changes them
            in layers inside the model, for a GPU that waits for its batches. Mixing is always done
            in the data path.
        hflip: probability that left and right are exchanged.
        rotation: degrees, either way.
        zoom: share of the size, either way.
        shift: share of the size, either way, along each axis.
        contrast: share by which grey values are spread about their mean, either way.
        brightness: share of the full scale added, either way.
        gamma: grey values are raised to a power between 1 / (1 + gamma) and 1 + gamma, 1 in the
            middle.
        noise: standard deviation of the Gaussian noise on every grey value, as a share of the full
            scale.
        cutout: share of the height and of the width of the one box that is painted grey.
        mixup: alpha of the Beta distribution from which the share of two mixed images is drawn.
        cutmix: alpha of the Beta distribution from which the share of a pasted box is drawn.
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


CUTOUT_GREY = 128
"""What a cut-out box is painted with: the middle of the scale, neither air nor bone."""
