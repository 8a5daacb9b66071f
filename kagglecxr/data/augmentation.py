"""Changes a training image in ways that leave its diagnosis: on uint8, in the data path."""

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Pixels = npt.NDArray[np.uint8]
OneHot = npt.NDArray[np.float32]


class Augmentation(BaseModel):
    """How far each random change may go; all zero leaves images alone.

    Attributes:
        mirror: probability that left and right are exchanged.
        rotation: degrees, either way.
        zoom: share of the size, either way.
        shift: share of the size, either way, along each axis.
        contrast: share by which grey values are spread about their mean, either way.
        brightness: share of the full scale added, either way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mirror: float = Field(0.5, ge=0, le=1)
    rotation: float = Field(10.0, ge=0, le=180)
    zoom: float = Field(0.1, ge=0, lt=1)
    shift: float = Field(0.05, ge=0, lt=1)
    contrast: float = Field(0.2, ge=0, lt=1)
    brightness: float = Field(0.08, ge=0, lt=1)

    def __call__(
        self, images: Pixels, targets: OneHot, random: np.random.Generator
    ) -> tuple[Pixels, OneHot]:
        """A changed copy of a batch (batch, H, W, C), targets as they are."""
        changed = [self.change(image, random) for image in images]
        return np.stack(changed).reshape(images.shape), targets

    def change(self, image: Pixels, random: np.random.Generator) -> Pixels:
        """A changed copy of one image (H, W, C); what it turns into view is its border, repeated.

        The same number of draws is taken whatever the settings, so that changing one setting
        leaves the others' chance as it was.
        """
        mirror = random.random() < self.mirror
        angle, zoom, across, down, contrast, brightness = random.uniform(-1.0, 1.0, 6)
        height, width = image.shape[:2]
        if self.rotation or self.zoom or self.shift or mirror:
            centre = ((width - 1) / 2, (height - 1) / 2)
            turn = cv2.getRotationMatrix2D(
                centre, float(angle) * self.rotation, 1.0 + float(zoom) * self.zoom
            )
            turn[:, 2] += (across * self.shift * width, down * self.shift * height)
            if mirror:
                turn = turn @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
            moved = cv2.warpAffine(
                image,
                turn,
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            image = moved.reshape(image.shape).astype(np.uint8, copy=False)
        if self.contrast or self.brightness:
            spread = 1.0 + float(contrast) * self.contrast
            middle = float(image.mean())
            offset = middle - spread * middle + float(brightness) * self.brightness * 255.0
            # A table of 256 values is much faster than arithmetic on every pixel.
            table = np.clip(np.rint(np.arange(256) * spread + offset), 0, 255).astype(np.uint8)
            image = table[image]
        return image
