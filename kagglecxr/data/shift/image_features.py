"""Features that may tell images of two sets apart: how they were acquired, and what they show."""

from collections.abc import Iterable
from pathlib import PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import entropy
from sklearn.decomposition import PCA

from kagglecxr.data.images.image import THUMBNAIL, Image

BLACK = 16
"""Gray values below it count as black."""
BORDER = 2
"""Width of a thumbnail's border in pixels: 6 % of its side."""
NAMED = 10
"""Maximum number of sources, and of file types, that are features: the most frequent ones."""
COMPONENTS = 20

Features = npt.NDArray[np.float64]


def acquisition_features(
    table: pd.DataFrame, thumbnails: npt.NDArray[np.uint8], images: Iterable[Image]
) -> pd.DataFrame:
    """Measures how images were acquired and stored.

    Size and file type are those of the index, gray values those of the files' thumbnails, before
    any preprocessing; sharpness and entropy are those of the prepared images, since a thumbnail
    has lost them.

    Args:
        table: `path,source,width,height`, (N,) rows of an index.
        thumbnails: (N, 32, 32) of the image files.
        images: N prepared images.

    Returns:
        (N,) rows; numbers are float64, NaN if unknown. Sources and file types are a bool column
        each, sources only if those of all images are known.
    """
    width, height = (pd.to_numeric(table[side], errors="coerce") for side in ("width", "height"))
    flat = thumbnails.reshape(len(table), -1)
    low, high = np.percentile(flat, [5, 95], axis=1)
    is_border = np.pad(
        np.zeros([THUMBNAIL - 2 * BORDER] * 2, np.bool_), BORDER, constant_values=True
    )
    sharpness, counts = zip(*map(_texture, images), strict=True)
    measured = {
        "width": width.to_numpy(np.float64),
        "height": height.to_numpy(np.float64),
        "aspect ratio": (width / height).to_numpy(np.float64),
        "mean grey": flat.mean(axis=1),
        "contrast (standard deviation)": flat.std(axis=1),
        "dark end (5th percentile)": low,
        "bright end (95th percentile)": high,
        "black share of the border": (thumbnails[:, is_border] < BLACK).mean(axis=1),
        "sharpness (variance of Laplacian)": np.array(sharpness),
        "entropy of grey values": entropy(np.array(counts), base=2, axis=1),
    }
    suffixes = pd.Series([PurePosixPath(path).suffix.lower() for path in table["path"]])
    named = {**_one_column_each("file type", suffixes)}
    if (table["source"] != "").all():
        named |= _one_column_each("source", table["source"])
    return pd.DataFrame({**measured, **named})


def content_features(thumbnails: npt.NDArray[np.uint8], random: np.random.Generator) -> Features:
    """Returns (N, components) principal components of thumbnails (N, 32, 32).

    Each thumbnail is standardised first, so exposure and contrast are no part of its content.
    """
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(flat.std(axis=1, keepdims=True), 1.0)
    if not np.ptp(flat, axis=0).any():
        return np.zeros((len(flat), 1))
    pca = PCA(min(COMPONENTS, len(flat)), random_state=int(random.integers(1 << 31)))
    components: Features = pca.fit_transform(flat)
    return components


def _texture(image: Image) -> tuple[float, npt.NDArray[np.intp]]:
    """Returns the variance of the Laplacian and the (256,) counts of gray values."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return float(edges.var()), np.bincount(grey.ravel(), minlength=256)


def _one_column_each(what: str, names: "pd.Series[str]") -> dict[str, npt.NDArray[np.bool_]]:
    return {
        f"{what} {name}": (names == name).to_numpy()
        for name in sorted(names.value_counts().index[:NAMED])
    }
