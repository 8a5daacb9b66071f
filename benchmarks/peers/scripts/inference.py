"""Predictions of cached images with views and folds by one library: FILES WAY; ends with JSON."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIZE, IMAGES, FOLDS, BATCH, TURNS = 192, 64, 5, 64, 3
CASES = {"one view": (1, 1), "two views": (1, 2), "five folds, two views": (FOLDS, 2)}
Predict = Callable[[], object]


def images_of(root: Path) -> np.ndarray:
    """(images, H, W) uint8, decoded beforehand."""
    import cv2

    paths = sorted(root.glob("*/*.png"))[:IMAGES]
    read = (np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in paths)
    return np.stack([cv2.resize(each, (SIZE, SIZE)) for each in read])


def ours(images: np.ndarray) -> dict[str, Predict]:
    """The package's Predictor."""
    from dataclasses import replace

    from benchmarks.predicting import make_run
    from kagglecxr.inference.predictor import Predictor

    member = make_run(Path(tempfile.mkdtemp()), "mobilenet", SIZE, 0)
    members = {
        name: replace(member, folds=member.folds[:folds], views=member.views[:views])
        for name, (folds, views) in CASES.items()
    }
    predictors = {name: Predictor([each]) for name, each in members.items()}
    return {name: lambda p=each: p.predict(images) for name, each in predictors.items()}  # type: ignore[misc]


def keras(images: np.ndarray) -> dict[str, Predict]:
    """Keras' predict, a loop over models and a flip by numpy."""
    import keras

    def build() -> keras.Model:
        image = keras.Input((SIZE, SIZE, 1))
        colour = keras.layers.Concatenate()([image] * 3)
        scaled = keras.layers.Rescaling(1 / 127.5, -1)(colour)
        base = keras.applications.MobileNet(
            weights=None, include_top=False, input_tensor=scaled, pooling="avg"
        )
        return keras.Model(image, keras.layers.Dense(4, activation="softmax")(base.output))

    models, deep = [build() for _ in range(FOLDS)], images[..., None].astype(np.float32)

    def predict(folds: int, views: int) -> object:
        shown = [deep, deep[:, :, ::-1]][:views]
        parts = [m.predict(v, BATCH, verbose=0) for m in models[:folds] for v in shown]
        return np.mean(parts, axis=0)

    return {name: lambda c=case: predict(*c) for name, case in CASES.items()}  # type: ignore[misc]


def ttach(images: np.ndarray) -> dict[str, Predict]:
    """PyTorch with ttach, and timm's MobileNet."""
    import timm
    import torch
    import ttach

    def build() -> torch.nn.Module:
        return timm.create_model("mobilenetv1_100", pretrained=False, num_classes=4).eval()

    models = [build() for _ in range(FOLDS)]
    flipping = ttach.Compose([ttach.HorizontalFlip()])
    wrapped = [ttach.ClassificationTTAWrapper(model, flipping) for model in models]
    deep = torch.from_numpy(images[:, None].astype(np.float32) / 127.5 - 1)

    def predict(folds: int, views: int) -> object:
        parts = []
        with torch.inference_mode():
            for model in (models if views == 1 else wrapped)[:folds]:
                batches = (batch.expand(-1, 3, -1, -1) for batch in deep.split(BATCH))
                parts.append(torch.cat([model(batch).softmax(1) for batch in batches]))
        return torch.stack(parts).mean(0)

    return {name: lambda c=case: predict(*c) for name, case in CASES.items()}  # type: ignore[misc]


def main() -> None:
    """Prints the warm seconds of each case."""
    root, way = Path(sys.argv[1]), sys.argv[-1]
    figures = {}
    for name, predict in globals()[way](images_of(root)).items():
        times = []
        for _ in range(TURNS + 1):
            began = time.perf_counter()
            predict()
            times.append(time.perf_counter() - began)
        figures[f"seconds, {name}"] = float(np.median(times[1:]))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
