"""tf-explain draws nets of the zoo, of one channel or three, without a word on the console."""

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model
from kagglecxr.saliency.tf_explain_pictures import PICTURES, tf_explain_picture

SIZE = 32


def spotted(channels: int) -> np.ndarray:
    image = np.full((SIZE, SIZE, channels), 30, np.uint8)
    image[4:12, 18:26] = 230
    return image


def random_net(channels: int) -> keras.Model:
    """A net of the zoo with random weights."""
    keras.utils.set_random_seed(0)
    return create_model("cnn_small", num_classes=2, input_shape=(SIZE, SIZE, channels), width=4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_each_method_draws_an_image_of_its_size(
    name: str, channels: int, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = tf_explain_picture(name, random_net(channels), spotted(channels), 1)
    is_heatmap = name in ("GradCAM", "OcclusionSensitivity")
    assert picture.shape == ((SIZE, SIZE, 3) if is_heatmap else (SIZE, SIZE))
    assert np.ptp(picture) > 0
    assert capfd.readouterr().out == ""


def test_a_single_output_is_refused() -> None:
    model = random_net(1)
    one = keras.Model(model.input, model.output[:, :1], name=model.name)
    with pytest.raises(SettingError, match=r"one output for each class.*Leave out --style"):
        tf_explain_picture("GradCAM", one, spotted(1), 0)
