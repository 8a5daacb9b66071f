"""Data folders of every layout that people unpack."""

import re
import tomllib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kagglecxr.core.errors import CxrError, DataError, MissingError
from kagglecxr.data.competition import Competition, load_competition
from kagglecxr.data.files.layout import COLUMNS, find_images

PIXEL = PIL.Image.fromarray(np.zeros((2, 2), np.uint8))


def fill(root: Path, *paths: str) -> Path:
    """Puts a small image at each path."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        PIXEL.save(root / path)
    return root


def described(layout: str = "", names: str = '["ill", "well"]', folders: str = "") -> Competition:
    """A competition by the entries of its TOML."""
    text = f"""
        name = "mine"
        [source]
        kind = "folder"
        [classes]
        names = {names}
        {folders}
        [layout]
        {layout}
    """
    return Competition.model_validate(tomllib.loads(text))


def column(root: Path, competition: Competition, name: str) -> dict[str, str]:
    """One column of what is found, by path."""
    table = find_images(root, competition).table
    return dict(zip(table["path"], table[name], strict=True))


def test_plain_class_folders_are_read_at_any_depth_and_in_any_spelling_of_suffixes(
    tmp_path: Path,
) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/deep/er/2.JPG", "well/3.jpeg", "well/4.TIF")
    (root / "ill" / "notes.txt").write_text("no image")
    (root / ".hidden").mkdir()
    assert column(root, load_competition(root), "label") == {
        "ill/1.png": "ill",
        "ill/deep/er/2.JPG": "ill",
        "well/3.jpeg": "well",
        "well/4.TIF": "well",
    }


def test_class_folders_with_images_and_masks_give_images_their_masks(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/images/1.jpg", "ill/masks/1.png", "well/images/2.png")
    assert column(root, load_competition(root), "mask") == {
        "ill/images/1.jpg": "ill/masks/1.png",
        "well/images/2.png": "",
    }


def test_the_table_is_text_sorted_by_id_with_unknown_cells_empty(tmp_path: Path) -> None:
    root = fill(tmp_path, "well/a.png", "ill/c.png", "ill/b.png")
    table = find_images(root, load_competition(root)).table
    assert list(table.columns) == COLUMNS
    assert table["id"].tolist() == ["a", "b", "c"]
    assert table["path"].tolist() == ["well/a.png", "ill/b.png", "ill/c.png"]
    assert set(table["split"]) == {"train"}
    assert (table[["group", "source", "mask"]] == "").all(axis=None)


def test_ids_are_whole_paths_where_a_name_repeats_in_two_classes(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/1.png", "well/2.png")
    assert column(root, load_competition(root), "id") == {
        "ill/1.png": "ill/1",
        "well/1.png": "well/1",
        "well/2.png": "well/2",
    }


def test_ids_keep_the_suffix_where_nothing_else_tells_two_files_apart(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/1.jpg", "well/2.png")
    table = find_images(root, load_competition(root)).table
    assert table["id"].is_unique
    assert set(table["id"]) == {"ill/1.png", "ill/1.jpg", "well/2.png"}


def test_folders_may_have_other_names_than_their_classes(tmp_path: Path) -> None:
    root = fill(tmp_path, "CT_ill/1.png", "CT_well/2.png", "elsewhere/3.png")
    competition = described(folders='folders = {ill = "CT_ill", well = "CT_well"}')
    assert column(root, competition, "label") == {"CT_ill/1.png": "ill", "CT_well/2.png": "well"}


def test_metadata_brings_source_group_and_mask(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/2.png", "well/3.png", "lungs/m.png")
    (root / "metadata.csv").write_text(
        "path,label,source,group_id,mask_path\n"
        "ill/1.png,ill,cohen,g1,lungs/m.png\n"
        "ill/2.png,ill,,g1,\n"
        "gone/9.png,ill,x,g9,\n"
    )
    competition = described()
    assert column(root, competition, "source") == {
        "ill/1.png": "cohen",
        "ill/2.png": "",
        "well/3.png": "",
    }
    assert column(root, competition, "group")["ill/2.png"] == "g1"
    assert column(root, competition, "group")["well/3.png"] == ""
    assert column(root, competition, "mask")["ill/1.png"] == "lungs/m.png"


def test_metadata_may_name_patients_and_starts_with_a_byte_order_mark(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "metadata.csv").write_text("path,patient_id\nill/1.png,0042\n", encoding="utf-8-sig")
    assert column(root, described(), "group") == {"ill/1.png": "0042", "well/2.png": ""}


def test_metadata_groups_go_before_patients_and_leave_known_masks(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/images/1.jpg", "ill/masks/1.png", "well/images/2.png")
    (root / "metadata.csv").write_text(
        "path,patient_id,group_id,mask_path\nill/images/1.jpg,p,g,\nwell/images/2.png,p,h,\n"
    )
    assert column(root, described(), "group") == {"ill/images/1.jpg": "g", "well/images/2.png": "h"}
    assert column(root, described(), "mask")["ill/images/1.jpg"] == "ill/masks/1.png"


def test_metadata_patients_count_where_a_group_is_empty(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/2.png", "well/3.png")
    (root / "metadata.csv").write_text(
        "path,patient_id,group_id\nill/1.png,p1,\nill/2.png,p1,\nwell/3.png,p2,g2\n"
    )
    groups = column(root, described(), "group")
    assert groups["ill/1.png"] == groups["ill/2.png"] != ""


def test_metadata_labels_images_that_lie_in_no_class_folder(tmp_path: Path) -> None:
    root = fill(tmp_path, "images/1.png", "images/2.png")
    (root / "metadata.csv").write_text("path,label\nimages/1.png,ill\nimages/2.png,well\n")
    labels = column(root, described('train = ["images/*"]'), "label")
    assert labels == {"images/1.png": "ill", "images/2.png": "well"}


def test_metadata_without_paths_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "metadata.csv").write_text("file,label\n1.png,ill\n")
    with pytest.raises(DataError, match=r"'path'.*metadata\.csv"):
        find_images(root, described())


@pytest.mark.parametrize(
    "form", ["ill/{}.png", "./ill/{}.png", "ill\\{}.png", "/data/mine/ill/{}.png", "{}.png"]
)
def test_paths_of_a_metadata_csv_may_be_written_otherwise(tmp_path: Path, form: str) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/2.png", "well/3.png")
    lines = [f"{form.format(k)},p{k}" for k in (1, 2)]
    (root / "metadata.csv").write_text("\n".join(["path,patient_id", *lines]) + "\n")
    table = find_images(root, load_competition(root)).table.set_index("path")
    assert table["group"].to_dict() == {"ill/1.png": "p1", "ill/2.png": "p2", "well/3.png": ""}


def test_a_name_that_two_images_have_is_matched_to_neither(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/1.png", "well/2.png")
    (root / "metadata.csv").write_text("path,patient_id\n1.png,p1\n2.png,p2\n")
    table = find_images(root, load_competition(root)).table.set_index("path")
    assert table["group"].to_dict() == {"ill/1.png": "", "well/1.png": "", "well/2.png": "p2"}


def test_a_metadata_csv_that_fits_no_image_is_refused_with_both_sides(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "metadata.csv").write_text("path,patient_id\nother/9.png,p1\n")
    with pytest.raises(DataError, match=r"other/9\.png; images are ill/1\.png"):
        find_images(root, load_competition(root))


def test_a_mask_pattern_finds_masks_elsewhere(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.jpg", "well/2.jpg", "lungs/ill/1_mask.png")
    competition = described('train = ["{class}/*"]\nmasks = "lungs/{class}/{stem}_mask.png"')
    assert column(root, competition, "mask") == {
        "ill/1.jpg": "lungs/ill/1_mask.png",
        "well/2.jpg": "",
    }


@pytest.mark.parametrize("suffix", ["", ".jpg"])
def test_a_table_labels_a_flat_folder_by_names_with_or_without_suffix(
    tmp_path: Path, suffix: str
) -> None:
    root = fill(tmp_path, "train/a.jpg", "train/b.jpg", "test/c.jpg")
    (root / "train.csv").write_text(f"image,finding\na{suffix},ill\nb{suffix},well\n")
    layout = """train = ["train/*"]
        test = ["test/*"]
        labels = "train.csv"
        label_id = "image"
        label_column = "finding"
    """
    assert column(root, described(layout), "label") == {
        "train/a.jpg": "ill",
        "train/b.jpg": "well",
        "test/c.jpg": "",
    }
    assert column(root, described(layout), "split")["test/c.jpg"] == "test"


FLAT = 'train = ["train/*"]\nlabels = "train.csv"'


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, MissingError, r"train\.csv"),
        ("image,label\nz,ill\n", DataError, r"column 'id'.*\['image', 'label'\]"),
        ("id,label\na,ill\n", DataError, r"1 training images.*train/b\.jpg"),
        ("id,label\na,ill\nb,dead\n", DataError, r"Received: dead"),
        ("id,label\na,ill\nb,ill\n", DataError, r"none for well"),
        ("id,label\na,ill\nb,well\na,well\n", DataError, r"two labels.*train\.csv, a\."),
    ],
    ids=["no table", "no column", "no label", "a strange label", "an empty class", "two labels"],
)
def test_a_table_of_labels_that_does_not_fit_is_refused(
    tmp_path: Path, text: str | None, error: type[CxrError], words: str
) -> None:
    root = fill(tmp_path, "train/a.jpg", "train/b.jpg")
    if text is not None:
        (root / "train.csv").write_text(text)
    with pytest.raises(error, match=words):
        find_images(root, described(FLAT))


def test_a_table_may_name_dicom_files_by_their_ids_and_an_image_on_two_lines(
    tmp_path: Path,
) -> None:
    root = tmp_path
    (root / "train").mkdir()
    for name in ("1.2.840.7", "1.2.840.8"):
        (root / "train" / f"{name}.dcm").write_bytes(b"")
    (root / "train.csv").write_text("id,label\n1.2.840.7,ill\n1.2.840.8,well\n1.2.840.7,ill\n")
    assert column(root, described(FLAT), "label") == {
        "train/1.2.840.7.dcm": "ill",
        "train/1.2.840.8.dcm": "well",
    }


def test_a_class_folder_without_images_is_refused_by_its_place(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png")
    (root / "well").mkdir()
    with pytest.raises(DataError, match=rf"none for well in {re.escape(str(root))}.*folders well"):
        find_images(root, described())


def test_folders_without_images_are_no_classes_of_a_plain_folder_and_are_named(
    tmp_path: Path,
) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "notebooks").mkdir()
    (root / "notebooks" / "eda.ipynb").write_text("{}")
    found = find_images(root, load_competition(root))
    assert set(found.table["label"]) == {"ill", "well"}
    assert "Left out: notebooks/ without images." in found.summary


def test_what_a_mac_puts_into_an_archive_is_no_image(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    for path in ("__MACOSX/ill/._1.png", "ill/._1.png", "well/.ipynb_checkpoints/2.png"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"Mac OS X")
    assert column(root, load_competition(root), "label") == {
        "ill/1.png": "ill",
        "well/2.png": "well",
    }


def test_the_workspaces_of_the_kit_are_no_class(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png", "work/mine/runs/one/curve.png")
    (root / "work" / "mine" / "prepare.json").write_text("{}")
    assert set(column(root, load_competition(root), "label").values()) == {"ill", "well"}


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png")
    with pytest.raises(DataError, match=r"1 images of 'ill'.*folder of another class"):
        find_images(root, load_competition(root))


def test_a_folder_too_high_is_looked_into(tmp_path: Path) -> None:
    root = fill(tmp_path, "a/archive/ill/images/1.png", "a/archive/well/images/2.png")
    found = find_images(root, load_competition(root))
    assert found.table["label"].to_list() == ["ill", "well"]
    assert found.summary.startswith("Data: a/archive/: folders are the classes")


def test_images_without_any_label_are_refused_with_where_labels_may_be(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/1.png")
    with pytest.raises(DataError, match=r"No image has a label.*\[layout\] labels"):
        find_images(root, described('train = ["train/*"]', names="[]"))


def test_a_class_that_a_pattern_does_not_find_is_refused_by_name(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png")
    with pytest.raises(DataError, match="none for well"):
        find_images(root, described('train = ["{class}/*"]'))


@pytest.mark.parametrize("layout", ["", 'train = ["{class}/*"]'])
def test_a_folder_without_images_is_refused_with_what_it_should_hold(
    tmp_path: Path, layout: str
) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        find_images(tmp_path, described(layout))


def test_a_folder_that_is_not_there_is_refused_as_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"absent.*--data"):
        find_images(tmp_path / "absent", described())


def test_folders_of_a_pattern_are_the_classes_where_none_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/ill/1.png", "train/well/2.png", "other/x/3.png")
    competition = described('train = ["train/{class}/*"]', names="[]")
    assert column(root, competition, "label") == {
        "train/ill/1.png": "ill", "train/well/2.png": "well",
    }  # fmt: skip


def test_patterns_match_whole_paths_and_a_star_stays_inside_a_folder(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/deep/2.png", "x/ill/3.png", "well/4.png")
    assert set(column(root, described('train = ["{class}/*"]'), "label")) == {
        "ill/1.png",
        "well/4.png",
    }


def test_characters_of_a_path_are_no_regular_expression(tmp_path: Path) -> None:
    root = fill(tmp_path, "set (1)/ill+/1.png", "set (1)/well/2.png", "set (1)/illl/3.png")
    competition = described('train = ["set (1)/{class}/*"]', names='["ill+", "well"]')
    assert set(column(root, competition, "label").values()) == {"ill+", "well"}


def test_the_radiography_presets_read_the_archive_and_its_inner_folder(tmp_path: Path) -> None:
    names = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
    for k, prefix in enumerate(("", "COVID-19_Radiography_Dataset/")):
        root = tmp_path / str(k)
        for name in names:
            fill(root, f"{prefix}{name}/images/{name}-1.png", f"{prefix}{name}/masks/{name}-1.png")
        table = find_images(root, load_competition("covid19-radiography")).table
        assert table["id"].tolist() == sorted(f"{name}-1" for name in names)
        assert set(table["label"]) == set(names)
        assert (table["mask"] == table["path"].str.replace("images", "masks")).all()


@pytest.mark.parametrize("prefix", ["", "chest_xray/"])
def test_kermanys_preset_trains_on_val_too_and_keeps_a_patients_images_together(
    tmp_path: Path, prefix: str
) -> None:
    root = fill(
        tmp_path,
        f"{prefix}train/PNEUMONIA/person1_bacteria_1.jpeg",
        f"{prefix}train/PNEUMONIA/person1_bacteria_2.jpeg",
        f"{prefix}train/PNEUMONIA/person10_bacteria_43.jpeg",
        f"{prefix}train/NORMAL/IM-0115-0001.jpeg",
        f"{prefix}train/NORMAL/NORMAL2-IM-0666-0001.jpeg",
        f"{prefix}train/NORMAL/NORMAL2-IM-0666-0001-0002.jpeg",
        f"{prefix}val/PNEUMONIA/person1946_bacteria_4874.jpeg",
        f"{prefix}val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
        f"{prefix}test/PNEUMONIA/person3_virus_15.jpeg",
        f"{prefix}test/NORMAL/IM-0001-0001.jpeg",
    )
    table = find_images(root, load_competition("chest-xray-pneumonia")).table.set_index("id")
    assert table["split"].value_counts().to_dict() == {"train": 8, "test": 2}
    assert table.loc["person1946_bacteria_4874", "split"] == "train"
    assert table.loc["person3_virus_15", "label"] == "PNEUMONIA"
    group = table["group"]
    assert group["person1_bacteria_1"] == group["person1_bacteria_2"] != ""
    assert group["person1_bacteria_1"] != group["person10_bacteria_43"]
    assert group["NORMAL2-IM-0666-0001"] == group["NORMAL2-IM-0666-0001-0002"]
    assert (group != "").all()


def test_kermanys_official_test_set_holds_other_persons(tmp_path: Path) -> None:
    # Persons are counted by kind: the bacterial person1 here is not the viral one there.
    root = fill(
        tmp_path,
        "train/PNEUMONIA/person1_bacteria_1.jpeg",
        "train/NORMAL/IM-0115-0001.jpeg",
        "test/PNEUMONIA/person1_virus_6.jpeg",
        "test/NORMAL/IM-0001-0001.jpeg",
    )
    groups = column(root, load_competition("chest-xray-pneumonia"), "group")
    train, test = "train/PNEUMONIA/person1_bacteria_1.jpeg", "test/PNEUMONIA/person1_virus_6.jpeg"
    assert groups[train] != groups[test]


def test_the_challenge_preset_has_an_unlabelled_test_set(tmp_path: Path) -> None:
    root = fill(
        tmp_path,
        *[f"train/{name}/{name}.png" for name in ("covid-19", "normal", "viral-pneumonia")],
        "test/17.png",
    )
    (root / "sample_submission.csv").write_text("id,label\n17,normal\n")
    table = find_images(root, load_competition("umons-covid19")).table.set_index("path")
    assert table.loc["test/17.png", ["label", "split"]].tolist() == ["", "test"]
    assert table.loc["train/normal/normal.png", ["label", "split"]].tolist() == ["normal", "train"]


def test_the_ct_preset_reads_the_unpacked_archives(tmp_path: Path) -> None:
    root = fill(tmp_path, "CT_COVID/1.png", "CT_NonCOVID/2.jpg", "other/3.png")
    labels = column(root, load_competition("covid-ct"), "label")
    assert labels == {"CT_COVID/1.png": "COVID", "CT_NonCOVID/2.jpg": "NonCOVID"}


def test_every_topped_up_class_of_report_4_is_found_next_to_or_inside_the_data(
    tmp_path: Path,
) -> None:
    for k, place in enumerate(("../chest-xray-pneumonia", "chest-xray-pneumonia/chest_xray")):
        root = tmp_path / str(k) / "radiography"
        for name in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
            fill(root, f"{name}/images/{name}-1.png")
        fill(
            root,
            f"{place}/train/PNEUMONIA/person7_bacteria_1.jpeg",
            f"{place}/train/NORMAL/IM-0115-0001.jpeg",
            f"{place}/test/PNEUMONIA/person1_virus_6.jpeg",
        )
        table = find_images(root, load_competition("covid19-radiography-topped-up")).table
        added = table[table["source"] == "kermany"]
        assert added["path"].tolist() == [f"{place}/train/PNEUMONIA/person7_bacteria_1.jpeg"]
        assert added["label"].tolist() == ["Viral Pneumonia"]
        assert added["group"].tolist() == ["kermany/person7"]
        assert len(table) == 5


def test_dicom_files_are_images_of_a_folder(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png")
    (root / "well").mkdir()
    (root / "well" / "2.dcm").write_bytes(b"")
    (root / "well" / "3.DICOM").write_bytes(b"")
    assert column(root, described(), "label") == {
        "ill/1.png": "ill",
        "well/2.dcm": "well",
        "well/3.DICOM": "well",
    }


def test_patients_and_sources_may_stand_in_the_table_of_labels(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/a.png", "train/b.png", "train/c.png")
    (root / "train.csv").write_text(
        "image_name;patient_id;target;source\na;p1;ill;north\nb;p1;well;north\nc;p2;ill;south\n"
    )
    competition = described(
        'train = ["train/*"]\nlabels = "train.csv"\nlabel_id = "image_name"\n'
        'label_column = "target"\nmetadata = "train.csv"'
    )
    assert list(column(root, competition, "group").values()) == ["p1", "p1", "p2"]
    assert list(column(root, competition, "source").values()) == ["north", "north", "south"]


def test_spellings_of_one_class_are_refused_with_each(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/a.png", "train/b.png", "train/c.png")
    (root / "train.csv").write_text("id,label\na,covid \nb,COVID\nc,normal\n")
    competition = described('train = ["train/*"]\nlabels = "train.csv"', names="[]")
    with pytest.raises(DataError, match="COVID, covid"):
        find_images(root, competition)


def test_masks_of_metadata_are_no_images_and_have_to_be_there(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "ill/1-lung.png", "well/2.png")
    (root / "metadata.csv").write_text("Path,Mask_Path\n./ill/1.png,ill/1-lung.png\n")
    assert column(root, load_competition(root), "mask") == {
        "ill/1.png": "ill/1-lung.png", "well/2.png": "",
    }  # fmt: skip
    (root / "metadata.csv").write_text("path,mask_path\nill/1.png,gone/1.png\n")
    with pytest.raises(DataError, match=r"masks that are not there.*gone/1\.png"):
        find_images(root, load_competition(root))


def test_a_table_that_the_toml_names_has_to_be_there(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    with pytest.raises(MissingError, match=r"meta\.csv"):
        find_images(root, described('metadata = "meta.csv"'))


def test_one_patient_for_all_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "metadata.csv").write_text("path,patient_id\nill/1.png,x\nwell/2.png,x\n")
    with pytest.raises(DataError, match=r"one patient or group.*'x' for 2 images"):
        find_images(root, load_competition(root))


def test_masks_beside_images_of_a_table_need_no_label(tmp_path: Path) -> None:
    root = fill(tmp_path, "train/a.png", "train/a_mask.png", "train/b.png")
    (root / "train.csv").write_text("id,label\na,ill\nb,well\n")
    assert column(root, described(FLAT), "mask") == {
        "train/a.png": "train/a_mask.png", "train/b.png": "",
    }  # fmt: skip


def test_images_of_a_test_set_that_a_table_lists_without_label(tmp_path: Path) -> None:
    root = fill(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    (root / "train.csv").write_text("id,label\na,ill\nb,well\nc,\n")
    (root / "sample.csv").write_text("id,label\nc,ill\n")
    competition = described(
        'train = ["images/*"]\ntest = ["images/*"]\nlabels = "train.csv"\nsample = "sample.csv"'
    )
    assert column(root, competition, "split") == {
        "images/a.png": "train", "images/b.png": "train", "images/c.png": "test",
    }  # fmt: skip
