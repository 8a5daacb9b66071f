"""How much of what a run's answers come from is in the lungs, and whether the maps can be believed.

A map that a net with random weights has as well says nothing of what was learned (Adebayo et al.
2018, arXiv:1810.03292); methods that ignore later layers (Sixt et al. 2020, arXiv:1912.09818) are
not asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import derive_seed, generator
from kagglecxr.inference.members import Member, rebuild_model
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explained_model import ExplainedModel
from kagglecxr.saliency.faithfulness import deletion, insertion, pointing_game, relevance_mass
from kagglecxr.saliency.methods import METHODS
from kagglecxr.shortcuts.held_out import AuditedImages
from kagglecxr.shortcuts.problems import Numbers, are_findings, target_table
from kagglecxr.shortcuts.regions import with_margin

EVIDENCE = ("gradcam", "occlusion", "integrated_gradients")
"""They hold for any net and depend on all of its layers."""
RANDOM_ORDER = "random order"
RESAMPLES = 1000
FEWEST = 8
"""Images of fewer have no interval: it would be the range of what was seen."""


@dataclass(frozen=True)
class RelevanceShares:
    """Where the evidence is, image by image.

    Attributes:
        rows: (images,) their numbers among the audited ones.
        targets: (images,) what is explained: the predicted class, or a finding that an image has.
        maps: (images, H, W) by method.
        table: `method,images,inside,inside_low,inside_high,area,random_net,pointing,deletion,
            insertion`: mean shares of the positive relevance in the lungs with their interval, the
            same of a net with random weights, the share of maps whose highest pixel is in the
            lungs, and the areas under both curves. The line `RANDOM_ORDER` has the curves of pixels
            in a random order.
    """

    rows: npt.NDArray[np.intp]
    targets: npt.NDArray[np.intp]
    maps: Mapping[str, Array]
    table: pd.DataFrame


def measure_relevance(
    audited: AuditedImages,
    member: Member,
    predicted: Numbers,
    number: int,
    seed: int,
    reporter: Reporter,
) -> RelevanceShares | None:
    """Explains some images of each class, or finding, by the folds that held them out.

    Of single labels that class is explained which is predicted; of findings one that is there, and
    an image may be explained for several. The lungs need not be the place of a finding: a large
    heart, a tube and much of an effusion lie outside of their mask.

    Args:
        audited: the images.
        member: the run.
        predicted: (N,) the classes that it predicts; of findings they are not asked for.
        number: how many images are explained at most.
        seed: of the choice of images and of random weights.
        reporter: shows the progress.

    Returns:
        None where the lungs of no image are known.
    """
    rows, columns = _some_of_each_class(audited, number, generator(seed, "audit", "relevance"))
    if not len(rows):
        return None
    targets = columns if are_findings(audited.classes) else predicted[rows]
    images = audited.images[rows].astype(np.float32)
    lungs = with_margin(audited.lungs[rows])
    names = [*EVIDENCE, RANDOM_ORDER]
    maps = {name: np.zeros(images.shape[:3], np.float32) for name in names}
    untrained = {name: maps[name].copy() for name in EVIDENCE}
    curves = {name: np.zeros((2, len(rows))) for name in names}
    keras.utils.set_random_seed(derive_seed(seed, "audit", "random weights"))
    random_net = ExplainedModel(rebuild_model(member.record))
    folds = np.unique(audited.folds[rows])
    with reporter.bar("Relevance", len(folds) * len(names)) as bar:
        for fold in folds:
            here = audited.folds[rows] == fold
            net, shown, wanted = (
                ExplainedModel(member.load_model(fold)),
                images[here],
                targets[here],
            )
            for name in names:
                random = generator(seed, "audit", name)
                if name == RANDOM_ORDER:
                    maps[name][here] = random.random(shown.shape[:3])
                else:
                    make = METHODS[name].maps
                    maps[name][here] = make(net, shown, wanted, random)
                    untrained[name][here] = make(random_net, shown, wanted, random)
                for row, measure in enumerate((deletion, insertion)):
                    found = measure(net, shown, wanted, maps[name][here], random)
                    curves[name][row, here] = found.areas()
                bar.advance()
    lines: list[dict[str, object]] = [
        {
            "method": name,
            "images": len(rows),
            **_inside(relevance_mass(maps[name], lungs), seed),
            "area": float(lungs.mean()),
            "random_net": _mean(relevance_mass(untrained[name], lungs)),
            "pointing": float(pointing_game(maps[name], lungs).mean()),
            **_areas(curves[name]),
        }
        for name in EVIDENCE
    ]
    lines.append({"method": RANDOM_ORDER, "images": len(rows), **_areas(curves[RANDOM_ORDER])})
    del maps[RANDOM_ORDER]
    return RelevanceShares(rows, targets, maps, pd.DataFrame(lines))


def _some_of_each_class(
    audited: AuditedImages, number: int, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """The rows of as many images of each class, or with each finding, and which it is."""
    known = random.permutation(np.flatnonzero(audited.have_lungs))
    is_there = target_table(audited.classes[known]) == 1
    present = np.flatnonzero(is_there.any(axis=0))
    each = max(1, number // max(1, len(present)))
    chosen = [(known[is_there[:, one]][:each], one) for one in present]
    rows = np.concatenate([known[:0], *(rows for rows, _ in chosen)])
    columns = np.repeat(present, [len(rows) for rows, _ in chosen])
    order = np.argsort(rows, kind="stable")
    return rows[order], columns[order]


def _inside(shares: Array, seed: int) -> dict[str, float]:
    """The mean share with the interval of its mean, images drawn anew."""
    known = shares[~np.isnan(shares)]
    mean = float(known.mean()) if len(known) else np.nan
    if len(known) < FEWEST:
        return {"inside": mean, "inside_low": np.nan, "inside_high": np.nan}
    random = generator(seed, "audit", "shares")
    drawn = random.choice(known, (RESAMPLES, len(known))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"inside": mean, "inside_low": float(low), "inside_high": float(high)}


def _areas(curves: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"deletion": float(curves[0].mean()), "insertion": float(curves[1].mean())}


def _mean(values: Array) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
