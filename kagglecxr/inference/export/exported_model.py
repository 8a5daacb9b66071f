"""An exported file that was loaded: what it takes and what it returns, whatever its format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ExportedModel:
    """An exported file that was loaded.

    Attributes:
        function: from raw pixels (batch, H, W, 1 or 3) to probabilities, (batch, classes) or of
            masks (batch, h, w, 1); or to them and, (batch,), how unusual the images are.
        classes: the names of its outputs.
        size: height and width of the images it takes; None for any.
        standards: of its masks, as `MaskStandards.to_json`; empty where it classifies.
        card: its model card in Markdown; empty of files of older versions.
        multilabel: whether an image may have several of the classes.
    """

    function: Callable[[Array], Array | Sequence[Array]]
    classes: list[str]
    size: tuple[int, int] | None
    standards: str = ""
    card: str = ""
    multilabel: bool = False

    def predict(self, images: Array) -> Array:
        """Returns the probabilities of raw pixels (batch, H, W, 1 or 3)."""
        return self.predict_with_novelty(images)[0]

    def predict_with_novelty(self, images: Array) -> tuple[Array, Array | None]:
        """Returns the probabilities and, (batch,), how unlike the training images they are.

        That is more than 1 where an image looks unusual, and None where the file does not know.
        """
        returned = self.function(images)
        outputs = [returned] if isinstance(returned, np.ndarray) else list(returned)
        # A .tflite file returns them the other way round.
        outputs.sort(key=lambda array: array.ndim == 1)
        return outputs[0], outputs[1] if len(outputs) > 1 else None


def known_size(height: object, width: object) -> tuple[int, int] | None:
    """Returns the size of the images taken; a side that is not known is None, -1 or a name."""
    sides = [side for side in (height, width) if isinstance(side, int) and side > 0]
    return (sides[0], sides[1]) if len(sides) == 2 else None
