"""What a DICOM file says of its stored grey values: rescaling, window, which end is white."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pydicom import Dataset

Values = npt.NDArray[np.float32]


def as_seen(pixels: npt.NDArray[Any], dataset: "Dataset") -> Values:
    """The grey values a viewer shows first, from 0 (black) to 1.

    Stored values go through the modality LUT or rescale slope and intercept, then through the
    first VOI LUT or else the first window, or over their own range where there is neither.
    MONOCHROME1, where low values are white, is inverted. DICOM PS3.3, C.11.1 and C.11.2.

    Args:
        pixels: (H, W) stored values, signed or not.
        dataset: the elements of their file.
    """
    values: Values
    if dataset.get("ModalityLUTSequence"):
        values, _ = _looked_up(pixels, dataset.ModalityLUTSequence[0], dataset)
    else:
        slope, intercept = _first(dataset, "RescaleSlope"), _first(dataset, "RescaleIntercept")
        values = pixels.astype(np.float32) * (slope or 1.0) + (intercept or 0.0)
    if dataset.get("VOILUTSequence"):
        values, most = _looked_up(values, dataset.VOILUTSequence[0], dataset)
        shown = np.minimum(values / most, 1)
    else:
        shown = _windowed(values, dataset)
    # INVERSE goes with MONOCHROME1 and says the same; files exist that have only one of the two.
    inverse = dataset.get("PresentationLUTShape") == "INVERSE"
    low_is_white = inverse or dataset.PhotometricInterpretation == "MONOCHROME1"
    return np.asarray(1 - shown if low_is_white else shown, np.float32)


def _first(dataset: "Dataset", keyword: str) -> float | None:
    """The first number of an element; None where it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return float(np.atleast_1d(value)[0])


def _looked_up(
    values: npt.NDArray[Any], item: "Dataset", dataset: "Dataset"
) -> tuple[Values, float]:
    """The values through a lookup table, and the most it can answer.

    pydicom's own functions refuse modality tables of other than 8 or 16 bits, and count wrongly in
    8-bit VOI tables of over 256 entries.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries = entries or 2**16
    table = item.LUTData
    if isinstance(table, bytes):
        little = dataset.file_meta.TransferSyntaxUID.is_little_endian
        word = ("<u2" if little else ">u2") if len(table) >= 2 * entries else "u1"
        table = np.frombuffer(table, word)
    answers = np.atleast_1d(np.asarray(table, np.float32))[:entries]
    place = np.clip(np.rint(values).astype(np.int64) - first, 0, len(answers) - 1)
    return answers[place], float(2**bits - 1)


def _windowed(values: Values, dataset: "Dataset") -> Values:
    """The values over the first window, from 0 to 1 and cut off there."""
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-6):
        # No window, or one that the standard forbids.
        low, high = values.min(), values.max()
        return np.asarray((values - low) / max(high - low, 1e-12), np.float32)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)), np.float32)
    if function == "LINEAR":
        # The standard counts the window's grey levels, of which the two ends are half a step out.
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1), np.float32)
