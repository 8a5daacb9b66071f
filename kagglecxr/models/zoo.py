"""Builds any model of the zoo by its name."""

import warnings
from typing import Any

import keras

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.core.errors import CxrError, CxrWarning, SettingError
from kagglecxr.models import nets  # noqa: F401 importing them fills the registry
from kagglecxr.models.batch_norm import set_batch_norm
from kagglecxr.models.frozen_trunk import set_trainable
from kagglecxr.models.heads import logits, mask_logits, pooled_head, probabilities
from kagglecxr.models.layers import augmentation_layers
from kagglecxr.models.model_card import MODELS, ModelCard, Tensor
from kagglecxr.models.weights.loading import ModelParts, load_pretrained
from kagglecxr.models.weights.sources import Weights, each_source, find_weights


def list_models(pattern: str = "*") -> list[str]:
    """The zoo's names that match a shell pattern.

    >>> list_models("mobilenet_v2_035")
    ['mobilenet_v2_035']
    """
    return MODELS.names(pattern)


def create_model(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int | None, int | None, int],
    weights: Weights = None,
    trainable: str = "all",
    batch_norm: str | float | None = None,
    augmentation: AugmentationSettings | None = None,
    **kwargs: Any,
) -> keras.Model:
    """Builds a model that takes raw pixels and answers with probabilities.

    The model is flat: no model nested in it, so that any layer can be explained. Scaling and the
    repeat to three channels happen inside.

    Args:
        name: the zoo's name, see `list_models`.
        num_classes: output classes; 1 means one sigmoid unit, else a softmax. Of a U-Net, the
            classes of each pixel.
        input_shape: (H, W, 1 or 3), pixels 0..255; H and W None for images of any size, in models
            that can.
        weights: None for chance, "imagenet", a file, a folder that holds it, a run's folder, a
            Kaggle Models handle that is attached, or several of these, which are loaded in turn.
            A head for other classes is left to chance, with a warning.
        trainable: "all", "head", "last_conv", "last_2_conv", or the first layer that learns.
        batch_norm: "frozen", "recalibrated" or a momentum, see `set_batch_norm`; as the model has
            it where None.
        augmentation: changes training images in layers between input and scaling, whatever its
            `where`; weights load with and without them. No such layers where None.
        **kwargs: what the model takes, as `dropout`; a backbone takes `scaling` and what
            `pooled_head` does.

    Raises:
        UnknownNameError: no such model; the nearest three are named.
        SettingError: a shape or an argument the model cannot have.
        WeightsError, MissingError: weights that do not fit or are not there.
    """
    card = MODELS[name]
    _check(card, num_classes, input_shape)
    inputs = keras.Input(input_shape, name="image")
    image = inputs
    for layer in augmentation_layers(augmentation) if augmentation else ():
        image = layer(image)
    try:
        features, scores = _features_and_scores(card, image, num_classes, kwargs)
    except CxrError:
        raise
    except TypeError as error:
        raise SettingError(
            f"A model does not take these arguments. Received: {sorted(kwargs)} for {name} "
            f"({error}). Leave out what it does not know."
        ) from error
    except ValueError as error:
        raise SettingError(
            f"A model cannot be built on this input. Received: input_shape={input_shape} for "
            f"{name} ({' '.join(str(error).split())[:160]}). It was made for {card.input_size} "
            "pixels; use that, or another size it can halve."
        ) from error
    model = keras.Model(inputs, probabilities(scores), name=name)
    parts = _parts(card, model, features)
    for source in each_source(weights):
        path = find_weights(card, source)
        complaint = load_pretrained(parts, path).complaint()
        if complaint:
            warnings.warn(
                f"Weights do not fit a model wholly. Received: {path} for {name} ({complaint}).",
                CxrWarning,
                stacklevel=2,
            )
    set_trainable(model, parts.backbone, trainable)
    if batch_norm is not None:
        set_batch_norm(parts.backbone, batch_norm)
    return model


def _features_and_scores(
    card: ModelCard, image: Tensor, num_classes: int, options: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    if card.kind == "backbone":
        own = {key: value for key, value in options.items() if key == "scaling"}
        features = card.build(image, **own)
        rest = {key: value for key, value in options.items() if key not in own}
        return features, pooled_head(features, num_classes, **{**card.head, **rest})
    features = card.build(image, **options)
    last = mask_logits if card.kind == "segmenter" else logits
    return features, last(features, num_classes)


def _parts(card: ModelCard, model: keras.Model, features: Tensor) -> ModelParts:
    backbone = keras.Model(model.inputs, features, name=f"{card.name}_backbone")
    imagenet, lungs = backbone, None
    if card.imagenet_layers:
        first, last = (model.get_layer(name) for name in card.imagenet_layers)
        imagenet = keras.Model(first.input, last.output, name=f"{card.name}_imagenet")
    if card.lungs_layer:
        mask = model.get_layer(card.lungs_layer).output
        lungs = keras.Model(model.inputs, mask, name=f"{card.name}_lungs")
    return ModelParts(model, backbone, imagenet, lungs)


def _check(card: ModelCard, num_classes: int, input_shape: tuple[int | None, ...]) -> None:
    if num_classes < 1:
        raise SettingError(
            f"A model has at least one output class. Received: num_classes={num_classes}. "
            "Use 1 for one sigmoid unit, 2 or more for a softmax."
        )
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise SettingError(
            f"An input is (height, width, 1 or 3 channels). Received: {input_shape}. "
            "Use (224, 224, 1) for grey X-rays."
        )
    if any(side is not None and side < card.smallest for side in input_shape[:2]):
        raise SettingError(
            f"A model cannot be built on so small an input. Received: input_shape={input_shape} "
            f"for {card.name}. Use {card.smallest} pixels or more; it was made for "
            f"{card.input_size}."
        )
