"""What joins findings, and what none of them is called, is read from a sample's answers."""

import pytest

from kagglecxr.core.sample_answers import joined_by

FINDINGS = ["Edema", "Mass"]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["Edema|Mass", "No Finding"], ("|", "No Finding")),
        (["Edema;Mass", "", "Edema"], (";", "")),
        (["Edema;Mass", "", "No Finding"], (";", "No Finding")),
        (["Mass, Edema", "none"], (", ", "none")),
        (["Edema Mass", "Edema Mass"], (" ", "No Finding")),
        (["No Finding", "No Finding"], ("|", "No Finding")),
        (["Edema"], ("|", "No Finding")),
        (["Edema|Lump", "Edema|Mass", "None"], None),
        (["healthy"], None),
        (["Edema", "Normal", "Mass"], ("|", "Normal")),
        (["Edema Mass", "Edema", "Edema Mas"], None),
        (["Edema Mass", "-", "Lump"], None),
        (["0.5"], None),
    ],
)
def test_separator_and_none(answers: list[str], found: tuple[str, str] | None) -> None:
    assert joined_by(answers, FINDINGS, "No Finding") == found


def test_a_space_in_a_name_joins_nothing() -> None:
    names = ["Pleural Thickening", "Pleural", "Thickening"]
    assert joined_by(["Pleural Thickening"], names, "-") == ("|", "-")


def test_what_is_told_is_not_read_otherwise() -> None:
    assert joined_by(["Edema+Mass", "-"], FINDINGS, "-", is_told=True, separators=["+"]) == (
        "+",
        "-",
    )
    assert joined_by(["Edema|Mass", "-"], FINDINGS, "Nothing", is_told=True) is None
    assert joined_by(["Edema;Mass"], FINDINGS, "-", separators=[","]) is None
