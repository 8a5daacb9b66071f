"""Shares of relevance are those of the maps, and a random order is what they are compared with."""

import dataclasses

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.saliency.faithfulness import relevance_mass
from kagglecxr.shortcuts.audited_images import audited_images
from kagglecxr.shortcuts.held_out import AuditedImages
from kagglecxr.shortcuts.regions import with_margin
from kagglecxr.shortcuts.relevance import EVIDENCE, RANDOM_ORDER, RelevanceShares, measure_relevance
from tests.conftest import PreparedDemo, copy_demo
from tests.training.run_factories import make_run

# An audit measures it too, and its page shows what it finds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("relevance"))


@pytest.fixture(scope="module")
def member(own: PreparedDemo) -> Member:
    [found] = members_for_data([make_run(own, "run", 1)], own.prepared)
    return found


@pytest.fixture(scope="module")
def audited(own: PreparedDemo, member: Member) -> AuditedImages:
    random = np.random.default_rng(0)
    return audited_images(own.prepared, own.workspace, member, 24, random, Silent())


@pytest.fixture(scope="module")
def measured(audited: AuditedImages, member: Member) -> RelevanceShares:
    predicted = np.arange(24) % 4
    found = measure_relevance(audited, member, predicted, 4, 0, Silent())
    assert found is not None
    return found


def test_one_image_of_each_class_is_explained_for_what_is_predicted(
    audited: AuditedImages, measured: RelevanceShares
) -> None:
    assert sorted(audited.classes[measured.rows].tolist()) == [0, 1, 2, 3]
    np.testing.assert_array_equal(measured.targets, measured.rows % 4)
    assert set(measured.maps) == set(EVIDENCE)


def test_shares_are_those_of_the_maps(audited: AuditedImages, measured: RelevanceShares) -> None:
    lungs = with_margin(audited.lungs[measured.rows])
    table = measured.table.set_index("method")
    assert list(table.index) == [*EVIDENCE, RANDOM_ORDER]
    for name in EVIDENCE:
        line = table.loc[name]
        expected = np.nanmean(relevance_mass(measured.maps[name], lungs))
        assert line["inside"] == pytest.approx(expected)
        # Four images are too few for an interval.
        assert np.isnan(line["inside_low"])
        assert line["area"] == pytest.approx(lungs.mean())
        assert 0 <= line["random_net"] <= 1
    assert table[["deletion", "insertion"]].notna().all(axis=None)
    assert table.loc[RANDOM_ORDER, ["inside", "area"]].isna().all()


def test_the_same_seed_gives_the_same_maps(
    audited: AuditedImages, member: Member, measured: RelevanceShares
) -> None:
    again = measure_relevance(audited, member, np.arange(24) % 4, 4, 0, Silent())
    assert again is not None
    np.testing.assert_array_equal(again.rows, measured.rows)
    for name in EVIDENCE:
        np.testing.assert_allclose(again.maps[name], measured.maps[name], atol=1e-5)


def test_without_lungs_nothing_is_measured(audited: AuditedImages, member: Member) -> None:
    blind = dataclasses.replace(audited, lungs=np.zeros_like(audited.lungs))
    assert measure_relevance(blind, member, np.arange(24) % 4, 4, 0, Silent()) is None
