"""The zoo: lists models and builds any of them by its name."""

import warnings
from typing import Any

import keras
from keras import KerasTensor

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.core.errors import CxrError, CxrWarning, SettingError
from kagglecxr.models import nets  # noqa: F401 importing them fills the registry
from kagglecxr.models.batch_norm import set_batch_norm
from kagglecxr.models.feature_maps import earlier_maps
from kagglecxr.models.frozen_trunk import set_trainable
from kagglecxr.models.heads import logits, mask_logits, pooled_head, probabilities
from kagglecxr.models.layers import augmentation_layers
from kagglecxr.models.model_card import MODELS, ModelCard
from kagglecxr.models.weights.loading import ModelParts, load_pretrained
from kagglecxr.models.weights.sources import Weights, each_source, find_weights

__all__ = ["MODELS", "create_model", "list_models"]


def list_models(pattern: str = "*") -> list[str]:
    """Returns the names of models that match a shell pattern.

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
    multilabel: bool = False,
    **kwargs: Any,
) -> keras.Model:
    """Builds a model that maps raw pixels to probabilities.

    The model is flat: it contains no nested model, so that any layer can be explained. Scaling and
    the repeat to three channels happen inside.

    Args:
        name: a model's name, see `list_models`.
        num_classes: number of output classes; 1 means one sigmoid unit, more a softmax. For a
            U-Net, of each pixel.
        input_shape: (H, W, 1 or 3), pixels 0..255; H and W may be None in models that take images
            of any size.
        weights: None for random weights, "imagenet", a file, a folder that holds it, a run's
            folder, the handle of an attached Kaggle model, or several of these, which are loaded in
            turn. A head for other classes is initialised randomly, with a warning.
        trainable: "all", "head", "last_conv", "last_2_conv", or the first trainable layer.
        batch_norm: "frozen", "recalibrated" or a momentum, see `set_batch_norm`; None for the
            model's default.
        augmentation: settings of augmentation layers between input and scaling, whatever their
            `where`; weights load with and without them. None for no such layers.
        multilabel: whether an image may have several of the classes: a sigmoid unit for each.
        **kwargs: arguments of the model, such as `dropout`; a backbone takes `scaling`, `side`,
            `depths` (at how many sizes features are pooled) and the arguments of `pooled_head`.

    Raises:
        UnknownNameError: no such model; the nearest three are given.
        SettingError: a shape or an argument that the model does not support.
        WeightsError, MissingError: weights that do not fit or are missing.
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
            f"({error}). Leave out the unsupported ones."
        ) from error
    except ValueError as error:
        raise SettingError(
            f"A model cannot be built on this input. Received: input_shape={input_shape} for "
            f"{name} ({' '.join(str(error).split())[:160]}). Use "
            f"{card.input_size} pixels, for which it was designed, or another size it can halve."
        ) from error
    model = keras.Model(inputs, probabilities(scores, multilabel=multilabel), name=name)
    parts = _parts(card, model, features)
    for source in each_source(weights):
        path = find_weights(card, source)
        problems = load_pretrained(parts, path).problems()
        if problems:
            warnings.warn(
                f"Weights fit a model only in part. Received: {path} for {name} ({problems}).",
                CxrWarning,
                stacklevel=2,
            )
    # A U-Net's decoder always learns, and from the statistics of its own images.
    pretrained = parts.imagenet if card.encoder_layer else parts.backbone
    set_trainable(model, pretrained, trainable)
    if batch_norm is not None:
        set_batch_norm(pretrained, batch_norm)
    return model


def _features_and_scores(
    card: ModelCard, image: KerasTensor, num_classes: int, options: dict[str, Any]
) -> tuple[KerasTensor, KerasTensor]:
    if card.kind == "backbone":
        own = {key: value for key, value in options.items() if key in ("scaling", "side")}
        features = card.build(image, **own)
        rest = {key: value for key, value in options.items() if key not in own}
        before = earlier_maps(image, features, rest.pop("depths", 1))
        return features, pooled_head(features, num_classes, before=before, **{**card.head, **rest})
    features = card.build(image, **options)
    last = mask_logits if card.kind == "segmenter" else logits
    return features, last(features, num_classes)


def _parts(card: ModelCard, model: keras.Model, features: KerasTensor) -> ModelParts:
    backbone = keras.Model(model.inputs, features, name=f"{card.name}_backbone")
    imagenet, lungs = backbone, None
    if card.encoder_layer:
        last = model.get_layer(card.encoder_layer).output
        imagenet = keras.Model(model.inputs, last, name=f"{card.name}_imagenet")
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
            f"num_classes is at least 1. Received: num_classes={num_classes}. "
            "Use 1 for one sigmoid unit, 2 or more for a softmax."
        )
    if len(input_shape) != 3 or input_shape[2] not in (1, 3):
        raise SettingError(
            f"An input is (height, width, 1 or 3 channels). Received: {input_shape}. "
            "Use (224, 224, 1) for gray X-rays."
        )
    if any(side is not None and side < card.smallest for side in input_shape[:2]):
        raise SettingError(
            f"An input is too small for a model. Received: input_shape={input_shape} for "
            f"{card.name}. Use {card.smallest} pixels or more; it was designed for "
            f"{card.input_size}."
        )
