"""Batches by one way of making them: FILES EPOCHS WAY; the last line is JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SIZE, BATCH = 224, 32
Labels = Iterator[np.ndarray]
"""The class ids or one-hot rows of batch after batch of an epoch."""


def ours(root: Path, *, moved: bool = False) -> Callable[[], Labels]:
    """Balanced batches of a cache, which the first epoch decodes."""
    import tempfile

    from kagglecxr.core.progress import Silent
    from kagglecxr.data import BalancedSequence
    from kagglecxr.data.cache.cache import build_cache
    from kagglecxr.data.images.pipeline import Pipeline
    from kagglecxr.data.sequences.augmentation import Augmentation

    paths = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*.png"))
    names = sorted({path.partition("/")[0] for path in paths})
    labels = np.array([names.index(path.partition("/")[0]) for path in paths])
    still = {"hflip": 0.0, "shift": 0.0, "contrast": 0.0, "brightness": 0.0}
    moves = Augmentation(rotation=20.0, zoom=0.1, **still) if moved else None
    made: list[BalancedSequence] = []

    def epoch() -> Labels:
        if not made:
            folder, pipeline = Path(tempfile.mkdtemp()), Pipeline.parse("gray | resize", SIZE)
            cache = build_cache(folder, root, paths, pipeline, Silent())
            made.append(BalancedSequence(cache.images, labels, BATCH, transform=moves))
        for number in range(len(made[0])):
            yield made[0][number][1]

    return epoch


def flow(root: Path, *, moved: bool = False) -> Callable[[], Labels]:
    """Keras' own generator."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    options = {"rotation_range": 20.0, "zoom_range": 0.1} if moved else {}
    batches = ImageDataGenerator(**options).flow_from_directory(
        root, (SIZE, SIZE), color_mode="grayscale", batch_size=BATCH, seed=0
    )
    return lambda: (batches[number][1] for number in range(len(batches)))


def dataset(root: Path, *, cached: bool = False) -> Callable[[], Labels]:
    """Keras' tf.data pipeline."""
    import keras

    batches = keras.utils.image_dataset_from_directory(
        root, image_size=(SIZE, SIZE), color_mode="grayscale", seed=0, verbose=False,
        batch_size=None if cached else BATCH,
    )  # fmt: skip
    if cached:
        batches = batches.cache().shuffle(1000, seed=0).batch(BATCH)
    batches = batches.prefetch(2)
    return lambda: (labels.numpy() for _, labels in batches)


def torch(root: Path) -> Callable[[], Labels]:
    """PyTorch's loader with OpenCV, and its weighted sampler."""
    import cv2
    from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

    paths = sorted(root.glob("*/*.png"))
    names = sorted({path.parent.name for path in paths})
    labels = np.array([names.index(path.parent.name) for path in paths])

    class Files(Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
            image = np.asarray(cv2.imread(str(paths[number]), cv2.IMREAD_GRAYSCALE))
            resized = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            return resized[None].astype(np.float32), int(labels[number])

    weights = 1.0 / np.bincount(labels)[labels]
    sampler = WeightedRandomSampler(weights.tolist(), len(paths))
    loader = DataLoader(
        Files(), BATCH, sampler=sampler, num_workers=2, persistent_workers=True, drop_last=True
    )
    return lambda: (batch[1].numpy() for batch in loader)


def imblearn(root: Path) -> Callable[[], Labels]:
    """imbalanced-learn's generator, which under-samples images that are in memory."""
    import cv2
    from imblearn.keras import balanced_batch_generator

    paths = sorted(root.glob("*/*.png"))
    names = sorted({path.parent.name for path in paths})
    labels = np.array([names.index(path.parent.name) for path in paths])
    kept: list[np.ndarray] = []

    def epoch() -> Labels:
        if not kept:
            read = (np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in paths)
            kept.append(np.stack([cv2.resize(each, (SIZE, SIZE)).ravel() for each in read]))
        batches, steps = balanced_batch_generator(kept[0], labels, batch_size=BATCH, random_state=0)
        for _ in range(steps):
            yield next(batches)[1]

    return epoch


def main() -> None:
    """Prints the rates, and the fewest images of the rarest class in a batch."""
    root, epochs, way = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    name, _, moved = way.partition("_")
    options = {"moved": True} if moved else {}
    if way == "cached":
        name, options = "dataset", {"cached": True}
    epoch = globals()[name](root, **options)
    rates, fewest = [], BATCH
    for _ in range(epochs + 1):
        began, images = time.perf_counter(), 0
        for labels in epoch():
            ids = labels.argmax(axis=1) if labels.ndim == 2 else labels
            images += len(ids)
            # The last batch of an epoch may be a part of one.
            if len(ids) == BATCH:
                fewest = min(fewest, int(np.bincount(ids.astype(int), minlength=4).min()))
        rates.append(images / (time.perf_counter() - began))
    figures = {
        "images/s, first epoch": rates[0],
        "images/s, warm": float(np.median(rates[1:])),
        "fewest of the rarest class in a batch": fewest,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
