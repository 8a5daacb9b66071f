"""Sources from the Radiography Database's sheets, as its archive holds them."""

import builtins
import doctest
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.data.competition import load_competition, preset_names
from kagglecxr.data.files import metadata
from kagglecxr.data.files.layout import find_images

PIXEL = PIL.Image.fromarray(np.zeros((2, 2), np.uint8))
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
SHEETS = {
    "COVID": [
        ("COVID-1", "https://sirm.org/category/senza-categoria/covid-19/"),
        ("COVID-2", "https://github.com/armiro/COVID-CXNet"),
        ("COVID-9", "https://eurorad.org"),
    ],
    "Lung_Opacity": [
        (f"Lung_Opacity-{k}", "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data")
        for k in (1, 2)
    ],
    "Normal": [
        ("NORMAL-1", "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"),
        ("NORMAL-2.png", " https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia "),
    ],
    "Viral Pneumonia": [
        ("Viral Pneumonia-1", "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia"),
    ],
}
RSNA = "kaggle.com/c/rsna-pneumonia-detection-challenge"
KERMANY = "kaggle.com/paultimothymooney/chest-xray-pneumonia"


def sheet(path: Path, rows: list[tuple[str, str]], columns: tuple[str, str, str, str]) -> None:
    cells = [(name, "PNG", "256*256", url) for name, url in rows]
    pd.DataFrame(cells, columns=list(columns)).to_excel(path, index=False, engine="openpyxl")


def radiography(root: Path, top: str = "") -> Path:
    """Two images a class with masks and sheets, laid out and named as in the archive."""
    for name in CLASSES:
        for part in ("images", "masks"):
            folder = root / top / name / part
            folder.mkdir(parents=True)
            for k in (1, 2):
                PIXEL.save(folder / f"{name}-{k}.png")
        columns = ("FILE NAME", "FORMAT", "SIZE", "URL")
        sheet(root / top / f"{name}.metadata.xlsx", SHEETS[name], columns)
    return root


@pytest.mark.parametrize("top", ["", "COVID-19_Radiography_Dataset"])
@pytest.mark.parametrize(
    "preset",
    [name for name in preset_names() if name.startswith("covid19-") and "topped" not in name],
)
def test_the_sheets_tell_each_images_source(tmp_path: Path, preset: str, top: str) -> None:
    table = find_images(radiography(tmp_path, top), load_competition(preset)).table.set_index("id")
    assert table["source"].to_dict() == {
        "COVID-1": "sirm.org",
        "COVID-2": "github.com/armiro/COVID-CXNet",
        "Lung_Opacity-1": RSNA,
        "Lung_Opacity-2": RSNA,
        "Normal-1": RSNA,
        "Normal-2": KERMANY,
        "Viral Pneumonia-1": KERMANY,
        "Viral Pneumonia-2": "",
    }
    assert (table["mask"] == table["path"].str.replace("images", "masks")).all()


def test_a_plain_folder_of_classes_has_its_sheets_read_too(tmp_path: Path) -> None:
    root = radiography(tmp_path)
    table = find_images(root, load_competition(root)).table.set_index("id")
    assert table.loc["COVID-1", "source"] == "sirm.org"
    assert set(table["label"]) == set(CLASSES)


def test_a_metadata_csv_goes_before_the_sheets(tmp_path: Path) -> None:
    root = radiography(tmp_path)
    (root / "metadata.csv").write_text("path,source\nCOVID/images/COVID-1.png,ours\n")
    table = find_images(root, load_competition("covid19-radiography")).table.set_index("id")
    assert table.loc[["COVID-1", "COVID-2"], "source"].tolist() == [
        "ours",
        "github.com/armiro/COVID-CXNet",
    ]


def test_a_sheet_without_its_columns_is_refused_by_name(tmp_path: Path) -> None:
    root = radiography(tmp_path)
    path = root / "Normal.metadata.xlsx"
    sheet(path, SHEETS["Normal"], ("FILE NAME", "FORMAT", "SIZE", "ADDRESS"))
    with pytest.raises(DataError, match=r"Normal\.metadata\.xlsx.*ADDRESS.*without URL"):
        find_images(root, load_competition("covid19-radiography"))
    sheet(path, SHEETS["Normal"], ("File name", "Format", "Size", "url "))
    table = find_images(root, load_competition("covid19-radiography")).table.set_index("id")
    assert table.loc["Normal-1", "source"] == RSNA


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_sheet_that_is_cut_off_is_refused_by_name(tmp_path: Path, share: float) -> None:
    root = radiography(tmp_path)
    path = root / "COVID.metadata.xlsx"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"COVID\.metadata\.xlsx"):
        find_images(root, load_competition("covid19-radiography"))


def test_openpyxl_is_required_only_where_there_are_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = radiography(tmp_path)
    imported = builtins.__import__

    def refuse(name: str, *rest: Any) -> object:
        if name.partition(".")[0] == "openpyxl":
            raise ImportError(name)
        return imported(name, *rest)

    for module in [name for name in sys.modules if name.partition(".")[0] == "openpyxl"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingError, match=r"COVID\.metadata\.xlsx.*'kagglecxr\[excel\]'"):
        find_images(root, load_competition("covid19-radiography"))
    for path in root.glob("*.xlsx"):
        path.unlink()
    table = find_images(root, load_competition("covid19-radiography")).table
    assert set(table["source"]) == {""}


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(metadata).failed == 0
