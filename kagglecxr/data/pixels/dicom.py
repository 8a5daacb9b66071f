"""Reads DICOM files, as detectors and archives write them, as 8-bit pixels."""

import io
import threading
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError
from kagglecxr.data.pixels.images import BrokenImageError, Image, broken
from kagglecxr.data.pixels.presentation import as_seen


def decode_dicom(data: bytes, name: str) -> Image:
    """The pixels of a DICOM file's bytes as they are meant to be seen, black to white.

    Grey values are rescaled, windowed and inverted as the file says, see `as_seen`; colours and
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
        raise broken(name, reason) from error


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
        raise broken(name, f"it holds {frames} frames instead of one image")
    pixels = pixel_array(dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return _to_8_bits(pixels / np.iinfo(pixels.dtype).max)
    if pixels.ndim == 3:
        return _to_8_bits(pixels / (2**dataset.BitsStored - 1))
    return _to_8_bits(as_seen(pixels, dataset))


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
