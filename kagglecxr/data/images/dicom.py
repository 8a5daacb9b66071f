"""Decodes DICOM files into 8-bit pixels, with rescaling and windowing applied."""

import io
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError
from kagglecxr.data.images.image import BrokenImageError, Image, broken_image


def decode_dicom(data: bytes, name: str) -> Image:
    """The pixels of a DICOM file's bytes as they are meant to be seen, black to white.

    Grey values are rescaled, windowed and inverted as the file says, see `apply_voi`; colours and
    palettes become RGB.

    Args:
        data: the file's bytes.
        name: what to call it in an error.

    Returns:
        (H, W) for grey, (H, W, 3) RGB for colour.

    Raises:
        BrokenImageError: the file is cut off, holds no image, or several.
        MissingError: pydicom, or a decoder for the file's compression, is not installed.
    """
    try:
        with _warnings_ignored:
            return _decoded(data, name)
    except ImportError as error:
        raise _not_installed(name, "pydicom") from error
    except (BrokenImageError, MissingError):
        raise
    except Exception as error:
        # Of a damaged file pydicom may raise nearly anything, from struct.error to KeyError.
        reason = " ".join(f"pydicom says {error}".split())
        raise broken_image(name, reason) from error


def _decoded(data: bytes, name: str) -> Image:
    from pydicom import dcmread
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    dataset = dcmread(io.BytesIO(data))
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and not get_decoder(syntax).is_available:
        raise _not_installed(name, f"a decoder of {syntax.name}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise broken_image(name, f"it holds {frames} frames instead of one image")
    pixels = pixel_array(dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return _to_8_bits(pixels / np.iinfo(pixels.dtype).max)
    if pixels.ndim == 3:
        return _to_8_bits(pixels / (2**dataset.BitsStored - 1))
    return _to_8_bits(apply_voi(pixels, dataset))


def _to_8_bits(shares: npt.NDArray[np.floating[Any]]) -> Image:
    return np.asarray(np.rint(255 * shares), np.uint8)


def _not_installed(name: str, what: str) -> MissingError:
    return MissingError(
        f"A DICOM file needs a package that is not installed. Received: {name}, which needs "
        f"{what}. Run: pip install 'kagglecxr[dicom]'"
    )


class _WarningsIgnored:
    """Ignores warnings while any thread is inside.

    pydicom warns of every small departure from the standard, and real files have many. Python's
    filters belong to the whole process: threads that each changed and restored them would undo
    one another's, so the first in changes them and the last out restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_warnings_ignored = _WarningsIgnored()


if TYPE_CHECKING:
    from pydicom import Dataset

Values = npt.NDArray[np.float32]


def apply_voi(pixels: npt.NDArray[Any], dataset: "Dataset") -> Values:
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
        values, _ = _apply_lut(pixels, dataset.ModalityLUTSequence[0], dataset)
    else:
        slope, intercept = _first(dataset, "RescaleSlope"), _first(dataset, "RescaleIntercept")
        values = pixels.astype(np.float32) * (slope or 1.0) + (intercept or 0.0)
    if dataset.get("VOILUTSequence"):
        values, most = _apply_lut(values, dataset.VOILUTSequence[0], dataset)
        shown = np.minimum(values / most, 1)
    else:
        shown = _apply_window(values, dataset)
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


def _apply_lut(
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


def _apply_window(values: Values, dataset: "Dataset") -> Values:
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
