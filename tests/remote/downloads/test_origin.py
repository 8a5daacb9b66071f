"""What can be downloaded, and what is said where nothing can."""

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.remote.downloads.origin import Origin
from tests.remote.downloads.conftest import COMPETITION, DATASET


def test_a_source_on_kaggle_becomes_an_origin() -> None:
    assert Origin.of("competition", COMPETITION.slug, "umons-covid19") == COMPETITION
    assert Origin.of("dataset", "mary/lungs", "lungs") == DATASET
    assert Origin.of("dataset", "mary/lungs/3", "lungs").slug == "mary/lungs/3"


@pytest.mark.parametrize(
    ("kind", "following"), [("demo", "prepare x$"), ("folder", "prepare x --data FOLDER$")]
)
def test_what_kaggle_does_not_serve_names_the_verb_that_comes_next(
    kind: str, following: str
) -> None:
    with pytest.raises(SettingError, match=rf"nothing to download.*kagglecxr\.{following}"):
        Origin.of(kind, "", "x")


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        ("competition", ""),
        ("competition", "c/covid-19"),
        ("competition", "https://www.kaggle.com/competitions/covid-19"),
        ("dataset", ""),
        ("dataset", "lungs"),
        ("dataset", "mary/"),
        ("dataset", "https://www.kaggle.com/datasets/mary/lungs"),
    ],
)
def test_a_slug_in_another_form_is_refused(kind: str, slug: str) -> None:
    with pytest.raises(SettingError, match=rf"The slug of a {kind} is .*\[source\] of x"):
        Origin.of(kind, slug, "x")


def test_a_refusal_names_the_page_to_open() -> None:
    assert f"/competitions/{COMPETITION.slug}/rules" in COMPETITION.errand().if_refused
    assert "https://www.kaggle.com/datasets/mary/lungs," in DATASET.errand().if_refused
    with_version = Origin("dataset", "mary/lungs/3", "lungs")
    assert with_version.errand().if_unknown.endswith("/datasets/mary/lungs")
    for origin in (COMPETITION, DATASET):
        assert f"prepare {origin.name} --data" in origin.errand().instead
