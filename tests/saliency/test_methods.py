"""Methods are found by name, and find a patch that was put into the image."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.saliency import gradcam
from kagglecxr.saliency.methods import DEFAULTS, METHODS, chosen_methods
from tests.saliency.small_nets import PATCH, SIZE, bright_patch_finder, patched_images


@pytest.mark.parametrize("name", METHODS.names())
def test_a_planted_patch_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The small net is none of the zoo, whose cards know this layer.
    monkeypatch.setattr(gradcam.ExplainedModel, "gradcam_layer", "conv1")
    maps = METHODS[name].maps(
        bright_patch_finder(), patched_images(), np.array([1, 1]), np.random.default_rng(0)
    )
    assert maps.shape == (2, SIZE, SIZE)
    assert maps.dtype == np.float32
    for one in maps:
        y, x = np.unravel_index(gaussian_filter(np.abs(one), 2).argmax(), one.shape)
        assert PATCH[0].start <= y < PATCH[0].stop
        assert PATCH[1].start <= x < PATCH[1].stop
    assert METHODS[name].signed or maps.min() >= 0


def test_methods_are_chosen_by_name() -> None:
    assert list(chosen_methods([])) == list(DEFAULTS)
    assert list(chosen_methods(["rise", "gradcam"])) == ["rise", "gradcam"]
    assert list(chosen_methods(["all"])) == METHODS.names()
    with pytest.raises(UnknownNameError, match=r"'grad-cam'.*gradcam"):
        chosen_methods(["grad-cam"])
    with pytest.raises(SettingError, match="all and gradcam"):
        chosen_methods(["gradcam", "all"])


def test_what_ignores_later_layers_is_no_evidence() -> None:
    """Sixt et al. 2020."""
    pictures = [name for name in METHODS.names() if not METHODS[name].is_evidence]
    assert pictures == ["guided_backpropagation", "lrp_alpha_beta"]
