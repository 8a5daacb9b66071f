"""Explaining a run leaves its maps as arrays, the images that were chosen, and pictures."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, SettingError, UnknownNameError
from kagglecxr.core.progress import Silent
from kagglecxr.data.index import Index
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.reports.saliency_report import SaliencyReport, report_saliency
from kagglecxr.reports.saliency_sheets import channel_grid, explained_images
from kagglecxr.saliency.explain_options import ExplainOptions
from kagglecxr.saliency.methods import METHODS
from tests.conftest import PreparedDemo, copy_demo
from tests.training.run_factories import make_run

CHOSEN = {name: METHODS[name] for name in ("gradcam", "gradients")}


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return copy_demo(demo, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def members(own: PreparedDemo) -> list[Member]:
    return members_for_data(
        [make_run(own, name, seed) for seed, name in enumerate("ab")], own.prepared
    )


def report(
    own: PreparedDemo, members: list[Member], folder: Path, **options: object
) -> SaliencyReport:
    chosen = ExplainOptions(**options)  # type: ignore[arg-type]
    return report_saliency(own.prepared, members, CHOSEN, folder, chosen, Silent(), 0)


@pytest.fixture(scope="module")
def reported(
    own: PreparedDemo, members: list[Member], tmp_path_factory: pytest.TempPathFactory
) -> SaliencyReport:
    return report(own, members, tmp_path_factory.mktemp("explain"), number=1)


def test_maps_and_images_are_kept_in_one_order(reported: SaliencyReport) -> None:
    table = pd.read_csv(reported.folder / "images.csv")
    with np.load(reported.folder / "maps.npz") as maps:
        assert set(maps) == {"ids", *CHOSEN}
        assert maps["ids"].tolist() == table["id"].tolist()
        assert maps["gradients"].shape == (len(table), 48, 48)
    assert set(table["group"]) == {"surest right", "surest wrong", "least sure"}
    assert reported.describe().startswith(f"Explained {len(table)} images: {reported.folder} has ")


def test_pictures_are_of_methods_filters_and_feature_maps(reported: SaliencyReport) -> None:
    assert [path.name for path in reported.pictures] == [
        "gradcam.png", "gradients.png", "features-block1_1_conv.png", "filters-block1_1_conv.png",
        "features-block4_2_conv.png", "filters-block4_2_conv.png",
    ]  # fmt: skip
    for path in reported.pictures:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert len(np.unique(picture)) > 10


def test_images_layers_and_a_class_can_be_named(
    own: PreparedDemo, members: list[Member], tmp_path: Path
) -> None:
    names = own.prepared.index.column("id", own.prepared.index.rows("train"))[3:5]
    target = own.prepared.competition.targets()[2]
    made = report(
        own, members[:1], tmp_path, images=tuple(names), target=target, layers=("block2_1_norm",)
    )
    assert made.images["id"].tolist() == names
    assert set(made.images["target"]) == {2}
    assert made.pictures[-1].name == "features-block2_1_norm.png"
    with pytest.raises(UnknownNameError, match=r"layer of cnn_small.*block9"):
        report(own, members[:1], tmp_path, layers=("block9",))


def test_lungs_lie_on_the_image_as_it_was_prepared(own: PreparedDemo) -> None:
    index = own.prepared.index
    rows = np.array([row for row, mask in enumerate(index.table["mask"]) if mask][:2])
    chosen = pd.DataFrame(
        {
            "id": index.column("id", rows),
            "true": "",
            "predicted": "a",
            "probability": 0.5,
            "target": 1,
        }
    )
    for one in explained_images(own.prepared, rows, chosen, ["a", "b"]):
        assert one.lungs is not None
        assert one.lungs.shape == one.image.shape == (48, 48)
        # Lungs are the darkest part of a chest.
        assert one.image[one.lungs > 0].mean() < one.image[one.lungs == 0].mean()
        assert one.title.splitlines()[1:] == ["predicted a 50%", "class unknown", "map for b"]


def test_a_grid_says_how_many_it_leaves_out() -> None:
    figure = channel_grid(np.ones((70, 2, 2), np.float32), "conv", signed=True)
    assert (
        figure.get_suptitle()
        == "conv, the first 64 of 70; each on its own scale, red positive, blue negative"
    )
    assert len([axes for axes in figure.axes if axes.images]) == 64


@pytest.mark.slow
def test_pictures_of_an_earlier_call_go(
    own: PreparedDemo, members: list[Member], tmp_path: Path
) -> None:
    (tmp_path / "rise.png").touch()
    made = report(own, members[:1], tmp_path, number=1)
    assert {path.name for path in tmp_path.glob("*.png")} == {p.name for p in made.pictures}


def test_a_run_that_has_seen_all_images_is_refused(
    own: PreparedDemo, members: list[Member], tmp_path: Path
) -> None:
    mean = dataclasses.replace(
        members[0], record=dataclasses.replace(members[0].record, metrics={})
    )
    with pytest.raises(SettingError, match=r"seen all training images\. Received: a, .*made of"):
        report(own, [mean], tmp_path)


def test_predictions_of_other_images_are_refused(
    own: PreparedDemo, members: list[Member], tmp_path: Path
) -> None:
    table = own.prepared.index.table.copy()
    table.loc[own.prepared.index.rows("train")[0], "id"] = "new"
    changed = dataclasses.replace(own.prepared, index=Index(table))
    with pytest.raises(DataError, match="other images than those prepared now"):
        report(dataclasses.replace(own, prepared=changed), members, tmp_path)
