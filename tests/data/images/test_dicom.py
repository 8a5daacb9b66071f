"""DICOM files made by pydicom: what their elements say of the stored values, by hand."""

import builtins
import io
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import gdcm
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, Sequence
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    generate_uid,
)

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.data.images.decode import decode_image, read_image
from kagglecxr.data.images.image import BrokenImageError

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
STEPS = np.array([[0, 1000], [2000, 4000]], np.uint16)


def dataset(pixels: npt.NDArray[Any], bits: int = 12, **elements: object) -> Dataset:
    """A digital radiograph of these stored values."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.SOPInstanceUID = generate_uid()
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = 8 * pixels.itemsize
    made.BitsStored, made.HighBit = bits, bits - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def written(made: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    stream = io.BytesIO()
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def compressed(pixels: npt.NDArray[Any], stream: bytes, syntax: UID, bits: int) -> bytes:
    """The same file, its pixels as an encoder made them elsewhere."""
    made = dataset(pixels, bits)
    made.PixelData = encapsulate([stream])
    made["PixelData"].is_undefined_length = True
    return written(made, syntax)


def decoded(pixels: npt.NDArray[Any], bits: int = 12, **elements: object) -> list[list[int]]:
    image = decode_image(written(dataset(pixels, bits, **elements)), "x.dcm")
    assert image.dtype == np.uint8
    values: list[list[int]] = image.tolist()
    return values


def lookup_table(values: list[int], first: int, bits: int) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = np.array(values, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    item["LUTDescriptor"].VR = "US"
    return Sequence([item])


def test_without_a_window_the_datas_own_range_becomes_black_to_white() -> None:
    assert decoded(STEPS) == [[0, 64], [128, 255]]
    assert decoded(STEPS // 4 + 100) == [[0, 64], [128, 255]]


def test_monochrome1_is_inverted() -> None:
    assert decoded(STEPS, PhotometricInterpretation="MONOCHROME1") == [[255, 191], [128, 0]]


def test_an_inverse_presentation_is_inverted_once() -> None:
    inverse = {"PresentationLUTShape": "INVERSE"}
    assert decoded(STEPS, **inverse) == [[255, 191], [128, 0]]
    both = decoded(STEPS, PhotometricInterpretation="MONOCHROME1", **inverse)
    assert both == [[255, 191], [128, 0]]
    assert decoded(STEPS, PresentationLUTShape="IDENTITY") == [[0, 64], [128, 255]]


def test_a_window_cuts_off_below_and_above() -> None:
    # Grey levels 1000 to 3000: (2000 - 1999.5) / 2000 + 1 / 2 = 0.50025; 255 times that is 127.6.
    window = {"WindowCenter": 2000, "WindowWidth": 2001}
    assert decoded(STEPS, **window) == [[0, 0], [128, 255]]
    # (1000 - 1500) / 2000 + 1 / 2 = 1 / 4, and (2000 - 1500) / 2000 + 1 / 2 = 3 / 4.
    exact = {"WindowCenter": 1500, "WindowWidth": 2000, "VOILUTFunction": "LINEAR_EXACT"}
    assert decoded(STEPS, **exact) == [[0, 64], [191, 255]]


def test_a_sigmoid_window_bends_at_its_ends() -> None:
    # 1 / (1 + exp(-4 (x - 2000) / 2000)): 0.018, 0.119, 1 / 2, 0.982.
    sigmoid = {"WindowCenter": 2000, "WindowWidth": 2000, "VOILUTFunction": "SIGMOID"}
    assert decoded(STEPS, **sigmoid) == [[5, 30], [128, 250]]


def test_the_first_of_several_windows_counts() -> None:
    several = {"WindowCenter": [2000, 10], "WindowWidth": [2001, 20]}
    one = {"WindowCenter": 2000, "WindowWidth": 2001}
    assert decoded(STEPS, **several) == decoded(STEPS, **one)


@pytest.mark.parametrize("elements", [{"WindowWidth": 0, "WindowCenter": 9}, {"WindowCenter": 9}])
def test_a_window_that_the_standard_forbids_is_none(elements: dict[str, int]) -> None:
    assert decoded(STEPS, **elements) == decoded(STEPS)


def test_an_empty_window_is_none() -> None:
    assert decoded(STEPS, WindowWidth=None, WindowCenter=None) == decoded(STEPS)


def test_the_window_is_in_rescaled_values_and_pixels_may_be_signed() -> None:
    # 2 x - 1024 is -3024, -1024, 976, 2976; the window is -1024 to 976.
    signed = np.array([[-1000, 0], [1000, 2000]], np.int16)
    elements = {
        "RescaleSlope": 2,
        "RescaleIntercept": -1024,
        "WindowCenter": -24,
        "WindowWidth": 2000,
        "VOILUTFunction": "LINEAR_EXACT",
    }
    assert decoded(signed, 16, **elements) == [[0, 0], [255, 255]]
    assert decoded(signed, 16) == [[0, 85], [170, 255]]
    assert decoded(signed // 2, 16, **elements) == [[0, 0], [128, 255]]


def test_a_falling_rescale_turns_black_and_white_round() -> None:
    assert decoded(STEPS, RescaleSlope=-1, RescaleIntercept=4095) == [[255, 191], [128, 0]]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_voi_table_goes_before_a_window(bits: int) -> None:
    most = 2**bits - 1
    table = lookup_table([0, most // 5, most], 1000, bits)
    small = np.array([[0, 1000], [1001, 4000]], np.uint16)
    window = {"WindowCenter": 1, "WindowWidth": 2}
    assert decoded(small, VOILUTSequence=table, **window) == [[0, 0], [51, 255]]


def test_an_8_bit_voi_table_may_have_as_many_entries_as_there_are_grey_levels() -> None:
    table = lookup_table([value // 16 for value in range(4096)], 0, 8)
    assert decoded(STEPS, VOILUTSequence=table) == [[0, 62], [125, 250]]


def test_a_modality_table_replaces_the_rescaling() -> None:
    table = lookup_table([0, 4095, 1365], 0, 12)
    small = np.array([[0, 1], [2, 9]], np.uint16)
    assert decoded(small, ModalityLUTSequence=table) == [[0, 255], [85, 85]]


def test_an_image_of_one_value_is_black() -> None:
    assert decoded(np.full((2, 2), 700, np.uint16)) == [[0, 0], [0, 0]]


def test_colour_keeps_its_order_and_depth() -> None:
    colour = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    np.testing.assert_array_equal(decode_image(written(dataset(colour, 8)), "x"), colour)


def test_a_palette_becomes_the_colours_it_names() -> None:
    made = dataset(np.array([[0, 1], [1, 0]], np.uint8), 8)
    made.PhotometricInterpretation = "PALETTE COLOR"
    for colour, values in (("Red", [0, 65535]), ("Green", [0, 0]), ("Blue", [65535, 0])):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [2, 0, 16])
        data = np.array(values, "<u2").tobytes()
        setattr(made, f"{colour}PaletteColorLookupTableData", data)
    assert decode_image(written(made), "x").tolist() == [
        [[0, 0, 255], [255, 0, 0]],
        [[255, 0, 0], [0, 0, 255]],
    ]


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_uncompressed_form_reads_alike(syntax: UID) -> None:
    data = written(dataset(RAMP), syntax)
    np.testing.assert_array_equal(decode_image(data, "x"), np.rint(RAMP / 4095 * 255))


def test_big_endian_files_read_alike() -> None:
    made = dataset(RAMP)
    made.PixelData = RAMP.astype(">u2").tobytes()
    data = written(made, ExplicitVRBigEndian)
    np.testing.assert_array_equal(decode_image(data, "x"), np.rint(RAMP / 4095 * 255))


def test_run_length_compression_is_undone() -> None:
    made = dataset(RAMP)
    made.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(
        decode_image(written(made, RLELossless), "x"), np.rint(RAMP / 4095 * 255)
    )


def test_jpeg_compression_is_undone() -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64) * 3).astype(np.uint8)
    stream = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    image = decode_image(compressed(smooth, stream, JPEGBaseline8Bit, 8), "x").astype(int)
    assert np.abs(image - np.rint(smooth / smooth.max() * 255)).max() <= 5


@pytest.mark.parametrize("kind", ["JPEG2000Lossless", "JPEGLosslessProcess14_1", "JPEGLSLossless"])
def test_what_archives_compress_with_is_undone(tmp_path: Path, kind: str) -> None:
    plain, small = tmp_path / "plain.dcm", tmp_path / "small.dcm"
    plain.write_bytes(written(dataset(RAMP)))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(small))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert small.stat().st_size < plain.stat().st_size
    np.testing.assert_array_equal(read_image(small), np.rint(RAMP / 4095 * 255))


def test_a_decoder_that_is_not_installed_is_named() -> None:
    data = compressed(RAMP, b"\xff\x4f\xff\x51", HTJ2KLossless, 12)
    with pytest.raises(MissingError, match=r"chest\.dcm.*High-Throughput.*kagglecxr\[dicom\]"):
        decode_image(data, "chest.dcm")


def test_pydicom_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(dataset(RAMP))
    imported = builtins.__import__

    def refuse(name: str, *rest: Any) -> object:
        if name.partition(".")[0] == "pydicom":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.delitem(sys.modules, "kagglecxr.data.images.dicom", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(CxrError, match=r"chest\.dcm.*pip install 'kagglecxr\[dicom\]'"):
        decode_image(data, "chest.dcm")


def test_several_frames_are_refused_by_name() -> None:
    made = dataset(np.zeros((2, 2), np.uint8), 8, NumberOfFrames=3)
    made.PixelData = bytes(12)
    with pytest.raises(BrokenImageError, match=r"3 frames.*film\.dcm"):
        decode_image(written(made), "film.dcm")
    assert decoded(STEPS, NumberOfFrames=1) == decoded(STEPS)


def test_a_file_without_an_image_is_refused_by_name() -> None:
    made = dataset(STEPS)
    del made.PixelData
    with pytest.raises(BrokenImageError, match=r"report\.dcm"):
        decode_image(written(made), "report.dcm")


@pytest.mark.parametrize("kind", ["plain", "run lengths", "jpeg", "deflated"])
def test_a_file_cut_off_anywhere_is_refused_in_one_sentence(kind: str) -> None:
    if kind == "plain":
        data = written(dataset(RAMP))
    elif kind == "deflated":
        data = written(dataset(RAMP), DeflatedExplicitVRLittleEndian)
    elif kind == "run lengths":
        made = dataset(RAMP)
        made.compress(RLELossless, generate_instance_uid=False)
        data = written(made, RLELossless)
    else:
        stream = cv2.imencode(".jpg", (RAMP // 16).astype(np.uint8))[1].tobytes()
        data = compressed((RAMP // 16).astype(np.uint8), stream, JPEGBaseline8Bit, 8)
    assert decode_image(data, "x").shape == RAMP.shape
    for length in np.linspace(1, len(data) - 16, 60).astype(int):
        with pytest.raises(BrokenImageError, match=r"chest-7\.dcm") as caught:
            decode_image(data[:length], "chest-7.dcm")
        assert "\n" not in str(caught.value)


def test_departures_from_the_standard_pass_in_silence_in_every_thread(
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = dataset(RAMP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.PatientID = "much too long " * 9
        made.StudyDate = "yesterday"
        made.PixelData += b"\0" * 8
        data = written(made)
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda k: decode_image(data, str(k)), range(40)))
    assert all(image.max() == 255 for image in images)
    assert list(warnings.filters) == before
    assert capfd.readouterr().err == ""
