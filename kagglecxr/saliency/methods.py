"""The saliency methods by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.registry import Registry
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explained_model import ExplainedModel, Targets
from kagglecxr.saliency.gradcam import gradcam, gradcam_plus_plus, gradcam_second_order
from kagglecxr.saliency.gradients import (
    gradient_input,
    gradients,
    guided_backpropagation,
    integrated_gradients,
    smoothgrad,
)
from kagglecxr.saliency.lrp import lrp_alpha_beta, lrp_epsilon, lrp_zero
from kagglecxr.saliency.perturbation import occlusion, rise

Maps = Callable[[ExplainedModel, Array, Targets, np.random.Generator], Array]
"""From a classifier, images (N, H, W, C), their targets (N,) and chance to maps (N, H, W)."""

ANY = "any network"
RELU = "networks with ReLUs"
PLAIN = "networks of convolutions, dense layers, batch norms, ReLUs, poolings and sums"

DEFAULTS = ("gradcam", "integrated_gradients", "occlusion")
ALL = "all"


@dataclass(frozen=True)
class SaliencyMethod:
    """A way to say which pixels a score comes from.

    Attributes:
        maps: makes them.
        source: the paper.
        holds_for: the networks that it is defined for, in words, as a note has them.
        signed: whether a map is negative where a pixel speaks against the class.
        is_evidence: whether it depends on all layers, so that it may be counted in an audit.
    """

    maps: Maps
    source: str
    holds_for: str = ANY
    signed: bool = True
    is_evidence: bool = True


METHODS = Registry[SaliencyMethod]("saliency method")


def _without_chance(maps: Callable[[ExplainedModel, Array, Targets], Array]) -> Maps:
    return lambda explained, images, targets, _: maps(explained, images, targets)


for _name, _method in {
    "gradcam": SaliencyMethod(
        _without_chance(gradcam), "Selvaraju et al. 2017", signed=False
    ),
    "gradcam++": SaliencyMethod(
        _without_chance(gradcam_plus_plus), "Chattopadhay et al. 2018", signed=False
    ),
    "gradcam_second_order": SaliencyMethod(
        _without_chance(gradcam_second_order), "report 3", signed=False
    ),
    "gradients": SaliencyMethod(_without_chance(gradients), "Simonyan et al. 2014"),
    "gradient_input": SaliencyMethod(_without_chance(gradient_input), "Shrikumar et al. 2016"),
    "smoothgrad": SaliencyMethod(smoothgrad, "Smilkov et al. 2017"),
    "integrated_gradients": SaliencyMethod(
        _without_chance(integrated_gradients), "Sundararajan et al. 2017"
    ),
    "guided_backpropagation": SaliencyMethod(
        _without_chance(guided_backpropagation), "Springenberg et al. 2015", RELU,
        is_evidence=False,
    ),
    "lrp_0": SaliencyMethod(_without_chance(lrp_zero), "Bach et al. 2015", PLAIN),
    "lrp_epsilon": SaliencyMethod(_without_chance(lrp_epsilon), "Bach et al. 2015", PLAIN),
    "lrp_alpha_beta": SaliencyMethod(
        _without_chance(lrp_alpha_beta), "Bach et al. 2015", PLAIN, is_evidence=False
    ),
    "occlusion": SaliencyMethod(_without_chance(occlusion), "Zeiler and Fergus 2014"),
    "rise": SaliencyMethod(rise, "Petsiuk et al. 2018"),
}.items():  # fmt: skip
    METHODS.add_as(_name)(_method)


def chosen_methods(names: Sequence[str]) -> dict[str, SaliencyMethod]:
    """Returns methods by name, in the order named; the default ones of no names, all of "all".

    Raises:
        UnknownNameError: no such method; the nearest three are given.
        SettingError: "all" beside other names.
    """
    if ALL in names and len(names) > 1:
        others = [name for name in names if name != ALL]
        raise SettingError(
            f"All methods are named by one word. Received: {ALL} and {shorten(others)}. Leave out "
            "one of them."
        )
    wanted = METHODS.names() if list(names) == [ALL] else names or DEFAULTS
    return {name: METHODS[name] for name in wanted}
