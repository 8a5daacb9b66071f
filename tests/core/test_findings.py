"""What cells of findings say, there and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.findings import NO_FINDING, join_findings, split_findings, truth_of_findings

NAMES = ["Edema", "Fracture", "Mass", "Pleural Effusion"]


@given(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=4, max_size=4))
def test_a_cell_is_what_it_was_made_of(said: list[float]) -> None:
    present = {name for name, value in zip(NAMES, said, strict=True) if value == 1}
    unsure = {name for name, value in zip(NAMES, said, strict=True) if np.isnan(value)}
    cell = join_findings(present, unsure, NAMES, NO_FINDING)
    assert np.array_equal(truth_of_findings([cell], NAMES)[0], said, equal_nan=True)
    if present | unsure:
        assert split_findings(cell) == [name for name in NAMES if name in present | unsure]
    else:
        assert cell == NO_FINDING


def test_other_names_are_no_column() -> None:
    assert truth_of_findings(["Hernia|Mass", ""], ["Mass"]).tolist() == [[1.0], [0.0]]
