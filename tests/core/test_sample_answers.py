"""What joins findings, and what none of them is called, is read from a sample's answers."""

import pytest

from kagglecxr.core.sample_answers import joined_by

FINDINGS = ["Edema", "Mass"]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (["Edema|Mass", "No Finding"], ("|", "No Finding")),
        (["Edema;Mass", ""], (";", "No Finding")),
        (["Mass, Edema", "none"], (",", "none")),
        (["Edema Mass", "Edema Mass"], (" ", "No Finding")),
        (["No Finding", "No Finding"], ("|", "No Finding")),
        (["Edema"], ("|", "No Finding")),
        (["Edema|Lump", "Edema|Mass", "None"], None),
        (["healthy"], None),
        (["0.5"], None),
    ],
)
def test_separator_and_none(answers: list[str], found: tuple[str, str] | None) -> None:
    assert joined_by(answers, FINDINGS, "No Finding") == found


def test_a_space_in_a_name_joins_nothing() -> None:
    names = ["Pleural Thickening", "Pleural", "Thickening"]
    assert joined_by(["Pleural Thickening"], names, "-") == ("|", "-")
