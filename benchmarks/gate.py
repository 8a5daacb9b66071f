"""Which images does a run call unusual? The shares of several kinds, as a table.

Run: python -m benchmarks.gate path/to/cxr RUN_FOLDER

Of each fold the images that it held out are taken as they are, mirrored, turned and inverted, and
noise, drawings and photographs (scikit-learn's, and scikit-image's where it is installed) beside
them.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_images

from kagglecxr.core.files import read_table
from kagglecxr.data.competition import load_competition
from kagglecxr.data.images.decode import read_image
from kagglecxr.inference.members import Member, member_for_files
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.models.runtime import compiled_function, setup_keras

Pixels = npt.NDArray[np.uint8]

DRAWN, NOISY, TURNED = 40, 200, 70
"""Images of each kind; of each fold, for those that are turned."""
BATCH = 32


def main() -> None:
    """Prints a line for each kind of images."""
    setup_keras()
    competition, run = load_competition(sys.argv[1]), Path(sys.argv[2])
    root, member = competition.folder or Path(), member_for_files(run)
    folds = read_table(run / "folds.csv")
    index = read_table(run.parent.parent / "index.csv").set_index("id")
    others = dict(kinds(member))
    unusual: dict[str, list[npt.NDArray[np.bool_]]] = {}
    for (_, fold), novelty in load_novelties([member]).items():
        function = compiled_function(add_pooled_features(member.load_model(fold)))
        ids = folds.loc[folds["fold"].astype(int) == fold, "id"]
        held_out = np.stack([member.pipeline(read_image(root / p)) for p in index.loc[ids, "path"]])
        for kind, images in (changed(held_out) | others).items():
            found = novelty.scores(features(function, images)) > 1.0
            unusual.setdefault(kind, []).append(found)
    print("| images | n | called unusual |\n|---|---|---|")
    for kind, parts in unusual.items():
        n = len(parts[0]) if kind in others else sum(map(len, parts))
        print(f"| {kind} | {n:,} | {np.concatenate(parts).mean():.1%} |")


def features(
    function: Callable[[Pixels], list[npt.NDArray[np.float32]]], images: Pixels
) -> list[npt.NDArray[np.float32]]:
    """Returns the pooled features (images, channels) of each depth."""
    batches = [
        function(np.ascontiguousarray(images[at : at + BATCH, ..., None]))[1:]
        for at in range(0, len(images), BATCH)
    ]
    return [np.concatenate(depth) for depth in zip(*batches, strict=True)]


def changed(images: Pixels) -> dict[str, Pixels]:
    """Returns X-rays as they are, and some of them turned, mirrored and inverted."""
    some = np.random.default_rng(0).permutation(images)[:TURNED]
    return {
        "held-out images": images,
        "mirrored": some[:, :, ::-1],
        "turned by 90 degrees": np.rot90(some, axes=(1, 2)),
        "turned by 180 degrees": some[:, ::-1, ::-1],
        "upside down": some[:, ::-1],
        "inverted": 255 - some,
    }


def kinds(member: Member) -> Iterator[tuple[str, Pixels]]:
    """Yields images that are no chest X-rays, as the run's preprocessing has them."""
    size = member.record.input_shape[0]
    random = np.random.default_rng(0)
    shape = (NOISY, size, size)
    yield "uniform noise", random.integers(0, 256, shape, np.uint8)
    yield "Gaussian noise", np.clip(random.normal(128, 40, shape), 0, 255).astype(np.uint8)
    yield (
        "black and white",
        np.stack([np.zeros((size, size)), np.full((size, size), 255)]).astype(np.uint8),
    )
    yield "drawn hands", np.stack([draw_hand(random, size) for _ in range(DRAWN)])
    yield "drawn knees", np.stack([draw_knee(random, size) for _ in range(DRAWN)])
    photographs = list(load_sample_images().images)
    found = importlib.util.find_spec("skimage")
    if found is not None and found.origin is not None:
        for path in sorted((Path(found.origin).parent / "data").glob("*.*")):
            if path.suffix in (".png", ".jpg"):
                photographs.append(read_image(path))
    yield "photographs", np.stack([member.pipeline(image) for image in photographs])


def draw_hand(random: np.random.Generator, size: int) -> Pixels:
    """Draws bones of a hand, light on soft grey tissue."""
    image = np.zeros((size, size), np.float32)
    palm = (size // 2 + int(random.integers(-10, 10)), int(0.68 * size))
    cv2.ellipse(image, palm, (int(0.2 * size), int(0.22 * size)), 0, 0, 360, 70, -1)
    for finger in range(5):
        angle = np.deg2rad(-150 + 30 * finger + random.normal(0, 4))
        start = np.array(palm, float)
        length = (0.22, 0.3, 0.32, 0.3, 0.22)[finger] * size
        direction = np.array([np.cos(angle), np.sin(angle)])
        tip = start + direction * (0.2 * size + length)
        cv2.line(image, palm, tuple(int(v) for v in tip), 70, int(0.09 * size))
        for bone in range(4):
            one = start + direction * (0.05 * size + bone * length / 3)
            two = one + direction * length / 4
            points = [tuple(int(v) for v in point) for point in (one, two)]
            cv2.line(image, points[0], points[1], 200, max(int(0.035 * size), 2))
    return _film(image, random, size)


def draw_knee(random: np.random.Generator, size: int) -> Pixels:
    """Draws thigh and shin bone, light on soft grey tissue."""
    image = np.zeros((size, size), np.float32)
    middle = size // 2 + int(random.integers(-10, 10))
    cv2.rectangle(image, (middle - size // 4, 0), (middle + size // 4, size), 80, -1)
    joint = int(random.normal(0.5, 0.03) * size)
    width = int(0.09 * size)
    cv2.rectangle(image, (middle - width, 0), (middle + width, joint - 8), 190, -1)
    cv2.rectangle(image, (middle - width, joint + 8), (middle + width, size), 180, -1)
    for offset in (-1, 1):
        for y in (joint - int(0.07 * size), joint + int(0.07 * size)):
            place = (middle + offset * width, y)
            cv2.ellipse(image, place, (width, int(0.06 * size)), 0, 0, 360, 200, -1)
    return _film(image, random, size)


def _film(image: npt.NDArray[np.float32], random: np.random.Generator, size: int) -> Pixels:
    soft = cv2.GaussianBlur(image, (0, 0), size / 100)
    film: Pixels = np.clip(soft + random.normal(10, 6, soft.shape), 0, 255).astype(np.uint8)
    return film


if __name__ == "__main__":
    main()
