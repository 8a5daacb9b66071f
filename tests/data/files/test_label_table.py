"""Tables of labels in the forms that competitions have."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.label_table import Labels, read_labels
from kagglecxr.data.schema import Classes, Layout

IMAGES = ["train/a.png", "train/b.png", "train/c.png"]


def labels(
    root: Path,
    text: str,
    images: list[str] = IMAGES,
    classes: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
    settings: dict[str, object] | None = None,
    **layout: str,
) -> Labels:
    (root / "train.csv").write_text(text)
    described = Classes.model_validate({"names": list(classes), **(settings or {})})
    return read_labels(root, Layout(labels="train.csv", **layout), described, images, others)


def by_path(found: Labels, column: str = "label") -> dict[str, str]:
    return dict(found.rows[column])


PLAIN = {"train/a.png": "ill", "train/b.png": "well", "train/c.png": "ill"}


@pytest.mark.parametrize(
    "text",
    [
        "id,label\na,ill\nb,well\nc,ill\n",
        "image_name,finding\na.png,ill\nb.png,well\nc.png,ill\n",
        "id,ill,well\na,1,0\nb,0,1\nc,1,0\n",
        "StudyUID,ill,well\ntrain/a.png,1.0,0.0\ntrain/b.png,0.0,1.0\ntrain/c.png,1.0,0.0\n",
        "id,label\na_ill,1\na_well,0\nb_ill,0\nb_well,1\nc_ill,1\nc_well,0\n",
        "id,finding,value\na,ill,1\na,well,0\nb,ill,0\nb,well,1\nc,ill,1\nc,well,0\n",
        "a ill\nb well\nc ill\n",
        "p1 a.png ill north\np1 b.png well north\np2 c.png ill south\n",
        "ID,Label\nA.PNG,ill\nB.PNG,well\nC.PNG,ill\n",
        "id,x,label\na,1,ill\na,2,ill\nb,,well\nc,3,ill\n",
    ],
)  # fmt: skip
def test_forms_of_one_label_an_image(tmp_path: Path, text: str) -> None:
    assert by_path(labels(tmp_path, text)) == PLAIN


def test_patients_and_sources_of_a_list_without_header(tmp_path: Path) -> None:
    found = labels(tmp_path, "p1 a.png ill north\np1 b.png well north\np2 c.png ill south\n")
    assert list(by_path(found, "group").values()) == ["p1", "p1", "p2"]
    assert list(by_path(found, "source").values()) == ["north", "north", "south"]


def test_columns_without_header_are_named_by_number(tmp_path: Path) -> None:
    text = "x a.png 7 ill 9\ny b.png 8 well 9\nz c.png 8 ill 9\n"
    with pytest.raises(DataError, match=r"lacks the column 'label'.*\['1', '2', '3', '4', '5'\]"):
        labels(tmp_path, text)
    assert by_path(labels(tmp_path, text, label_id="2", label_column="4")) == PLAIN


def test_ids_may_name_the_folder_of_a_study(tmp_path: Path) -> None:
    images = ["train/s1/x/1.dcm", "train/s2/x/1.dcm", "train/s2/y/2.dcm"]
    found = labels(tmp_path, "id,label\ns1_study,ill\ns2_study,well\n", images)
    assert by_path(found) == dict(zip(images, ["ill", "well", "well"], strict=True))
    assert list(by_path(found, "group").values()) == ["s1_study", "s2_study", "s2_study"]
    assert found.named == 2


def test_one_column_of_flags_is_a_label_of_its_own(tmp_path: Path) -> None:
    found = labels(tmp_path, "id,target,age\na,1,30\nb,0,40\nc,1,50\n", label_column="target")
    assert list(by_path(found).values()) == ["1", "0", "1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,label\na,ill\na,well\n", r"two labels for one image.* a\."),
        ("id,label\n", r"no lines.*train\.csv"),
        ("id,label\na.png,ill\na,well\n", r"two labels for one image.*a, a\.png"),
        ("id,diagnosis,AP,PA\na,ill,1,0\nb,well,0,1\n", r"lacks the column 'label'.*diagnosis"),
    ],
)
def test_what_gives_no_image_its_one_label_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        labels(tmp_path, text)


FINDINGS = ["Edema|Mass", "No Finding", "Mass"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("id,Edema,Mass\na,1,1\nb,0,0\nc,0,1\n", "columns Edema, Mass are findings"),
        ("id,Mass,No Finding,Edema\na,1,0,1\nb,0,1,0\nc,1,0,0\n", "columns Mass, Edema"),
        ("id,label\na,Mass|Edema\nb,No Finding\nc,Mass\n", "column label joins them"),
        ("id,label\na,Edema; Mass\nb,No Finding\nc,Mass\n", "column label joins them"),
        ("id,label\na,\"['Mass', 'Edema']\"\nb,[]\nc,['Mass']\n", "column label joins them"),
        ("id,label\na_Edema,1\na_Mass,1\nb_Edema,0\nb_Mass,0\nc_Edema,0\nc_Mass,1\n", "findings"),
    ],
)  # fmt: skip
def test_forms_of_several_labels_an_image(tmp_path: Path, text: str, form: str) -> None:
    found = labels(tmp_path, text)
    assert found.multilabel
    assert f"several labels an image: {form}" in found.form or form == "findings"
    cells = [set(cell.split("|")) for cell in by_path(found).values()]
    assert cells == [set(cell.split("|")) for cell in FINDINGS]
    with pytest.raises(DataError, match=r"several labels, or none.*multilabel = true"):
        labels(tmp_path, text, settings={"multilabel": False})


def test_one_label_an_image_may_be_a_finding(tmp_path: Path) -> None:
    text = "id,label\na,Mass\nb,No Finding\nc,Edema\n"
    assert not labels(tmp_path, text).multilabel
    assert labels(tmp_path, text, settings={"multilabel": True}).multilabel


@pytest.mark.parametrize(
    ("uncertain", "cells"),
    [
        ("negative", ["Edema", "No Finding", "Mass"]),
        ("positive", ["Edema|Mass", "Edema", "Mass"]),
        ("ignore", ["Edema|?Mass", "?Edema", "Mass"]),
    ],
)
def test_uncertain_labels_are_what_the_toml_says(
    tmp_path: Path, uncertain: str, cells: list[str]
) -> None:
    text = "Path,Sex,No Finding,Edema,Mass\na,F,,1.0,-1.0\nb,M,,-1.0,\nc,F,,0.0,1.0\n"
    settings: dict[str, object] = {"multilabel": True, "uncertain": uncertain}
    found = labels(tmp_path, text, settings=settings)
    assert list(by_path(found).values()) == cells


def test_no_finding_is_a_finding_where_it_is_asked_for(tmp_path: Path) -> None:
    text = "id,Edema,No Finding\na,1,0\nb,0,1\nc,0,0\n"
    settings: dict[str, object] = {"multilabel": True, "none": "-"}
    found = labels(tmp_path, text, classes=("Edema", "No Finding"), settings=settings)
    assert list(by_path(found).values()) == ["Edema", "No Finding", "-"]


def test_findings_of_the_toml_are_the_columns(tmp_path: Path) -> None:
    text = "id,Edema,Mass,Male\na,1,1,1\nb,0,0,1\nc,0,1,0\n"
    found = labels(tmp_path, text, classes=("Edema", "Mass"))
    assert list(by_path(found).values()) == FINDINGS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,Edema,Mass\na,1,0\nb,2,1\nc,0,1\nd,0,1\ne,1,0\nf,0,0\n", r"column 'Edema', '2' for b"),
        ("id,Edema,C|d\na,1,0\nb,0,1\nc,1,1\n", r"may not hold \|.*column 'C\|d'"),
        ("id,Edema,?g\na,1,0\nb,0,1\nc,1,1\n", r"begin with \?.*column '\?g'"),
    ],
)  # fmt: skip
def test_a_column_of_a_finding_has_flags_alone(tmp_path: Path, text: str, told: str) -> None:
    images = [f"train/{name}.png" for name in "abcdef"]
    with pytest.raises(DataError, match=told):
        labels(tmp_path, text, images, settings={"multilabel": True})


def test_codes_beside_a_named_column_of_labels_are_no_findings(tmp_path: Path) -> None:
    lines = ["a,Mass,1", *(f"{name},Edema|Mass,1" for name in "bcde"), "f,Mass,2"]
    images = [f"train/{name}.png" for name in "abcdef"]
    text = "\n".join(["id,said,sex", *lines])
    found = labels(tmp_path, text, images, settings={"multilabel": True}, label_column="said")
    assert by_path(found)["train/a.png"] == "Mass"


def test_missing_flags_of_pandas_are_none(tmp_path: Path) -> None:
    text = "id,Edema,Mass\na,1,nan\nb,0,1\nc,NaN,1\n"
    found = labels(tmp_path, text, settings={"multilabel": True})
    assert list(by_path(found).values()) == ["Edema", "Mass", "Mass"]


def test_one_column_may_be_the_only_finding(tmp_path: Path) -> None:
    for names in ((), ("Edema",)):
        text = "id,Edema\na,1\nb,0\nc,1\n"
        found = labels(tmp_path, text, classes=names, settings={"multilabel": True})
        assert list(by_path(found).values()) == ["Edema", "No Finding", "Edema"]
        assert found.findings == ("Edema",)


def test_a_finding_may_be_called_label(tmp_path: Path) -> None:
    text = "id,label,path\na,1,1\nb,0,0\nc,0,1\n"
    for names, settings in (((), {"multilabel": True}), (("label", "path"), {})):
        found = labels(tmp_path, text, classes=names, settings=dict(settings))
        assert list(by_path(found).values()) == ["label|path", "No Finding", "path"]


def test_a_column_without_any_image_is_a_finding(tmp_path: Path) -> None:
    found = labels(tmp_path, "id,Edema,Mass,Rare\na,1,1,0\nb,0,0,0\nc,0,1,0\n")
    assert found.findings == ("Edema", "Mass", "Rare")


def test_a_typo_does_not_make_findings(tmp_path: Path) -> None:
    images = [f"train/{number}.png" for number in range(60)]
    lines = [f"{number},{'ill' if number % 2 else 'well'}" for number in range(59)]
    told = labels(tmp_path, "\n".join(["id,label", *lines, "59,well;"]), images)
    assert not told.multilabel
    assert set(by_path(told).values()) == {"ill", "well"}
    with pytest.raises(DataError, match=r"1 of 60 cells, 'ill\|well'"):
        labels(tmp_path, "\n".join(["id,label", *lines, "59,ill|well"]), images)


def test_one_column_more_beside_classes_is_told(tmp_path: Path) -> None:
    text = "id,ill,well,male\na,1,0,1\nb,0,1,0\nc,1,0,0\n"
    with pytest.raises(DataError, match=r"'male' is another column of 0 and 1"):
        labels(tmp_path, text)
    assert not labels(tmp_path, text, classes=("ill", "well")).multilabel
    assert labels(tmp_path, text, settings={"multilabel": True}).findings[-1] == "male"


def test_commas_join_where_the_toml_says_that_there_are_several(tmp_path: Path) -> None:
    for text in (
        'id,label\na,"Edema, Mass"\nb,No Finding\nc,Mass\n',
        'id,label\na,"[Edema, Mass]"\nb,[]\nc,[Mass]\n',
    ):
        found = labels(tmp_path, text, settings={"multilabel": True})
        assert list(by_path(found).values()) == FINDINGS


def test_an_image_listed_twice_with_different_findings_is_told(tmp_path: Path) -> None:
    text = "id,label\na,Edema|Mass\na,Mass\nb,Mass\n"
    with pytest.raises(DataError, match=r"two labels for one image.* a\. Keep one line"):
        labels(tmp_path, text)


def test_a_class_may_have_a_bar_in_its_name(tmp_path: Path) -> None:
    found = labels(tmp_path, "id,label\na,x|y\nb,z\n", IMAGES[:2], ("x|y", "z"))
    assert list(by_path(found).values()) == ["x|y", "z"]


def test_an_id_that_means_two_images_is_refused(tmp_path: Path) -> None:
    images = ["p1/view1.jpg", "p2/view1.jpg"]
    with pytest.raises(DataError, match=r"id 'view1' for p1/view1\.jpg, p2/view1\.jpg"):
        labels(tmp_path, "id,label\nview1,ill\n", images)
    found = labels(tmp_path, "id,label\nset/p1/view1.jpg,ill\nset/p2/view1.jpg,well\n", images)
    assert by_path(found) == dict(zip(images, ["ill", "well"], strict=True))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        # Paths that differ in their suffix go before names that are equal by chance.
        ("path,label\ntrain/a.jpg,ill\nextra/a.jpg,well\n", "ill"),
        # A number of the line is no name, although images are numbers as well.
        ("id,file,label\n0,a.png,ill\n1,b.png,well\n", "ill"),
        (",label\na.png,ill\nb.png,well\n", "ill"),
        ("id,ill,well\na,True,False\nb,False,True\n", "ill"),
        ("sep=;\nid;label\na;ill\n", "ill"),
        ("# exported\nid,label\na,ill\n", "ill"),
        ("image_id,patient_id,class,value\na,p,ill,1\na,p,well,0\nb,q,ill,0\nb,q,well,1\n", "ill"),
        ("gone.png ill\na.png well\n", "well"),
        ("train\\a.png,ill\ntrain\\b.png,well\n", "ill"),
        ("id,0,1\na,1,0\nb,0,1\n", "0"),
    ],
)
def test_what_tables_of_users_look_like(tmp_path: Path, text: str, label: str) -> None:
    images = ["train/a.png", "train/b.png", "0/0.png"]
    assert by_path(labels(tmp_path, text, images))["train/a.png"] == label


def test_missing_labels_of_pandas_are_none(tmp_path: Path) -> None:
    found = labels(tmp_path, "id,label\na,ill\nb,nan\nc,None\n")
    assert list(by_path(found).values()) == ["ill", "", "None"]


def test_a_column_of_splits_tells_the_test_set(tmp_path: Path) -> None:
    found = labels(tmp_path, "id,Split,label\na,train,ill\nb,Test,well\nc,val,ill\n")
    assert list(by_path(found, "split").values()) == ["train", "test", "train"]
    assert "column Split tells the test set" in found.form
    other = labels(tmp_path, "id,set,label\na,1,ill\nb,2,well\nc,1,ill\n")
    assert set(by_path(other, "split").values()) == {""}


@pytest.mark.parametrize(
    "column", ["patient_id", "Patient ID", "patientId", "subject_id", "group_id"]
)
def test_patients_are_known_by_any_usual_name(tmp_path: Path, column: str) -> None:
    found = labels(tmp_path, f"id,{column},label\na,p,ill\nb,q,well\nc,p,ill\n")
    assert list(by_path(found, "group").values()) == ["p", "q", "p"]


def test_ids_mean_training_images_first(tmp_path: Path) -> None:
    text = "id,patient_id,label\n0,p,ill\n1,q,well\n2,q,\n"
    others = ("test/0.png", "test/1.png", "test/2.png")
    found = labels(tmp_path, text, ["train/0.png", "train/1.png"], others=others)
    assert by_path(found, "group") == {"train/0.png": "p", "train/1.png": "q", "test/2.png": "q"}


def test_patients_and_splits_of_a_line_a_class(tmp_path: Path) -> None:
    text = (
        "id,patient_id,split,value\na_ill,p,train,1\na_well,p,train,0\nb_ill,q,test,0\n"
        "b_well,q,test,1\n"
    )
    found = labels(tmp_path, text)
    assert by_path(found, "group") == {"train/a.png": "p", "train/b.png": "q"}
    assert by_path(found, "split") == {"train/a.png": "train", "train/b.png": "test"}
    with pytest.raises(DataError, match=r"two things of one image.*'patient_id', a\."):
        labels(tmp_path, text.replace("a_well,p", "a_well,r"))


def test_four_columns_of_another_list_are_not_taken_for_covidx(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks the column 'label'.*'1', '2', '3', '4'"):
        labels(tmp_path, "a.png,1,0,x\nb.png,0,1,y\n")
