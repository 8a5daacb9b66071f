"""What a Grad-CAM costs: 64 maps against one forward pass of the same images.

Run: python -m benchmarks.saliency
"""

import numpy as np

from benchmarks.timing import in_turn
from kagglecxr.models.runtime import compiled_function, seed_everything, setup_keras
from kagglecxr.models.zoo import create_model
from kagglecxr.saliency.explained_model import BATCH, ExplainedModel
from kagglecxr.saliency.gradcam import gradcam

SIZE, IMAGES, CLASSES, TURNS = 192, 64, 4, 7


def main() -> None:
    """Prints the ratio for each network; weights do not change it."""
    setup_keras()
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 1)).astype(np.float32)
    targets = np.arange(IMAGES) % CLASSES
    for name in ("mobilenet", "densenet121"):
        seed_everything(0)
        model = create_model(name, num_classes=CLASSES, input_shape=(SIZE, SIZE, 1))
        explained, predict = ExplainedModel(model), compiled_function(model)

        def forward(predict=predict) -> None:  # type: ignore[no-untyped-def]
            for start in range(0, IMAGES, BATCH):
                predict(images[start : start + BATCH])

        pair = in_turn(lambda e=explained: gradcam(e, images, targets), forward, TURNS)
        print(
            f"{name}, {SIZE} px, {IMAGES} images: Grad-CAM {pair.ours:.2f} s, a forward pass "
            f"{pair.other:.2f} s, {1 / pair.ratio:.2f} times"
        )


if __name__ == "__main__":
    main()
