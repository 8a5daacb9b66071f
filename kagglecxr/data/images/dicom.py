"""Decodes DICOM files into 8-bit pixels, with rescaling, window and polarity applied."""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError
from kagglecxr.data.images.image import BrokenImageError, Image


def decode_dicom(data: bytes, name: str) -> Image:
    """Decodes a DICOM file's bytes to (H, W) for grey or (H, W, 3) RGB, as meant to be displayed.

    Grey values go through `apply_voi`; colours and palettes become RGB.

    Raises:
        BrokenImageError: the file is truncated, or does not hold exactly one image.
        MissingError: pydicom, or a decoder for the file's compression, is not installed.
    """
    with _pydicom_errors(name):
        return _decode(data, name)


def count_dicom_pixels(data: bytes, name: str) -> int:
    """Returns the pixels of a DICOM file as its header has them; nothing is decoded.

    Raises:
        BrokenImageError: the header cannot be read.
        MissingError: pydicom is not installed.
    """
    with _pydicom_errors(name):
        from pydicom import dcmread

        header = dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
        frames = int(header.get("NumberOfFrames") or 1)
        return int(header.Rows) * int(header.Columns) * frames


@contextlib.contextmanager
def _pydicom_errors(name: str) -> Iterator[None]:
    try:
        with _warnings_ignored:
            yield
    except ImportError as error:
        raise _not_installed(name, "pydicom") from error
    except (BrokenImageError, MissingError):
        raise
    except Exception as error:
        # pydicom raises nearly anything for a damaged file, from struct.error to KeyError.
        reason = " ".join(f"pydicom says {error}".split())
        raise BrokenImageError(name, reason) from error


def _decode(data: bytes, name: str) -> Image:
    from pydicom import dcmread
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import ImplicitVRLittleEndian

    # Some programs leave out the preamble, and old ones the header that names the encoding.
    dataset = dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and not get_decoder(syntax).is_available:
        raise _not_installed(name, f"a decoder of {syntax.name}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise BrokenImageError(name, f"it holds {frames} frames instead of one image")
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
    """Ignores warnings while any thread is in the context.

    pydicom warns about every small departure from the standard, and real files have many. Warning
    filters belong to the process, so the first thread to enter changes them and the last one to
    leave restores them.
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
    """Converts (H, W) stored values to the grey values a viewer displays, 0 (black) to 1.

    Stored values go through the modality LUT or rescale slope and intercept, then through the
    first VOI LUT or else the first window; if there is neither, their own range is mapped to 0
    to 1. MONOCHROME1, where low values are white, is inverted. DICOM PS3.3, C.11.1 and C.11.2.
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
    # INVERSE means the same as MONOCHROME1; some files have only one of the two.
    inverse = dataset.get("PresentationLUTShape") == "INVERSE"
    low_is_white = inverse or dataset.PhotometricInterpretation == "MONOCHROME1"
    return np.asarray(1 - shown if low_is_white else shown, np.float32)


def _first(dataset: "Dataset", keyword: str) -> float | None:
    """Returns an element's first number, or None if it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return float(np.atleast_1d(value)[0])


def _apply_lut(
    values: npt.NDArray[Any], item: "Dataset", dataset: "Dataset"
) -> tuple[Values, float]:
    """Maps values through a lookup table; returns them and the table's largest possible value.

    pydicom's own functions refuse modality tables of other than 8 or 16 bits, and misread 8-bit VOI
    tables of more than 256 entries.
    """
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    entries = entries or 2**16
    table = item.LUTData
    if isinstance(table, bytes):
        little = dataset.file_meta.TransferSyntaxUID.is_little_endian
        word = ("<u2" if little else ">u2") if len(table) >= 2 * entries else "u1"
        table = np.frombuffer(table, word)
    outputs = np.atleast_1d(np.asarray(table, np.float32))[:entries]
    rows = np.clip(np.rint(values).astype(np.int64) - first, 0, len(outputs) - 1)
    return outputs[rows], float(2**bits - 1)


def _apply_window(values: Values, dataset: "Dataset") -> Values:
    """Maps the first window to 0 to 1 and clips what lies outside."""
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-6):
        # No window, or one that the standard does not allow.
        low, high = values.min(), values.max()
        return np.asarray((values - low) / max(high - low, 1e-12), np.float32)
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)), np.float32)
    if function == "LINEAR":
        # The standard's width counts grey levels; the first and last are half a step inside.
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1), np.float32)
