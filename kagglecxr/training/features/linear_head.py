"""Fits the last dense layer to frozen features by a solver, not by steps.

The classifier is scikit-learn's, on standardised features. What has learned is an ordinary dense
layer, so that the model predicts, explains and exports like any other.
"""

from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve, solve_triangular
from sklearn.covariance import ledoit_wolf
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.training.callbacks.resume_checkpoint import EpochLog
from kagglecxr.training.features.frozen_features import FrozenFeatures
from kagglecxr.training.recipe import LinearClassifier, Recipe

LOGITS = "logits"
Layer = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""A dense layer's kernel (values, targets) and bias (targets,)."""
Values = npt.NDArray[np.float64]


def fit_linear_head(
    features: FrozenFeatures, recipe: Recipe, settings: LinearClassifier, reporter: Reporter
) -> EpochLog:
    """Fits the last layer of a compiled model, and returns the log of what would be an epoch.

    Classes weigh alike where the recipe's batches are balanced.

    Raises:
        SettingError: other layers that learn stand between the features and the last one.
    """
    start, learner = monotonic(), features.learner
    values, targets = features.learned(recipe)
    dense = learner.get_layer(LOGITS)
    if len(learner.inputs) > 1 or len(learner.trainable_weights) > len(dense.trainable_weights):
        raise SettingError(
            f"A linear classifier stands on pooled features. Received: a head of "
            f"{len(learner.trainable_weights)} weights that learn. Leave dense and gem out of "
            "model_options, and let the head alone be trainable."
        )
    with reporter.bar("Linear classifier", 1) as bar:
        layer = fit_dense_layer(
            values,
            targets,
            settings,
            balanced=recipe.sampling != "natural",
            multilabel=bool(features.data.task.head.get("multilabel")),
        )
        dense.set_weights([part.astype(np.float32) for part in layer])
        bar.advance()
    seen = learner.evaluate(values, targets, verbose=0, return_dict=True)
    held_out = learner.evaluate(*features.held_out(), verbose=0, return_dict=True)
    return {
        "epoch": 1,
        **seen,
        **{f"val_{name}": value for name, value in held_out.items()},
        "learning_rate": 0.0,
        "seconds": round(monotonic() - start, 1),
    }


def fit_dense_layer(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    settings: LinearClassifier,
    *,
    balanced: bool,
    multilabel: bool,
) -> Layer:
    """Fits a dense layer that maps features to the scores of targets.

    Args:
        features: (images, values).
        targets: (images, targets) one-hot; of findings 1, 0 or, not known, NaN.
        settings: which classifier.
        balanced: whether all classes weigh alike, as if they were equally frequent.
        multilabel: whether scores are logits of sigmoids, of each target by itself; else of a
            softmax.
    """
    scaler = StandardScaler().fit(features)
    standard = scaler.transform(features.astype(np.float64))
    fit = _fit_findings if multilabel else _fit_classes
    kept = np.arange(standard.shape[1])
    if settings.keep is not None and settings.keep < len(kept):
        differences = _differences(standard, targets, multilabel=multilabel)
        kept = np.sort(np.argsort(-differences, kind="stable")[: settings.keep])
        standard = standard[:, kept]
    if settings.method == "logistic_regression" and len(standard) < standard.shape[1]:
        spanned = _spanned(standard)
        found, constants = fit(spanned, targets, settings, balanced)
        found = standard.T @ solve_triangular(spanned, found, lower=True, trans="T")
    else:
        found, constants = fit(standard, targets, settings, balanced)
    kernel = np.zeros((features.shape[1], targets.shape[1]))
    kernel[kept] = found / scaler.scale_[kept, None]
    return kernel, constants - scaler.mean_ @ kernel


def _differences(
    standard: Values, targets: npt.NDArray[np.floating], *, multilabel: bool
) -> npt.NDArray[np.float64]:
    """How much each value differs between the classes: F of an analysis of variance.

    Of findings the largest F that any of them has.
    """
    if not multilabel:
        return np.asarray(np.nan_to_num(f_classif(standard, targets.argmax(axis=1))[0]))
    largest = np.zeros(standard.shape[1])
    for of_finding in targets.T:
        known = ~np.isnan(of_finding)
        is_there = of_finding[known] >= 0.5
        if len(np.unique(is_there)) == 2:
            found = np.nan_to_num(f_classif(standard[known], is_there)[0])
            largest = np.maximum(largest, found)
    return largest


def _spanned(standard: Values) -> Values:
    """Images (images, values) in as many directions as they span: (images, images), triangular.

    The squared penalty is the same in any directions and draws weights to 0 in those that no image
    has, so that the classifier is the same, in a fraction of the time.
    """
    products = standard @ standard.T
    # Centred images lie in one direction less, of which Cholesky's method needs a trace.
    products.flat[:: len(products) + 1] += 1e-9 * np.trace(products)
    return np.asarray(cholesky(products, lower=True), np.float64)


def _fit_classes(
    standard: Values,
    targets: npt.NDArray[np.floating],
    settings: LinearClassifier,
    balanced: bool,
) -> Layer:
    """The layer of classes; one without an image is never predicted."""
    truth = targets.argmax(axis=1)
    kernel = np.zeros((standard.shape[1], targets.shape[1]))
    bias = np.full(targets.shape[1], -1e3)
    classes = np.unique(truth)
    kernel[:, classes], bias[classes] = _scores(standard, truth, settings, balanced)
    return kernel, bias


def _fit_findings(
    standard: Values,
    targets: npt.NDArray[np.floating],
    settings: LinearClassifier,
    balanced: bool,
) -> Layer:
    """The layer of findings, each by itself; one of one kind alone has one score everywhere."""
    kernel, bias = np.zeros((standard.shape[1], targets.shape[1])), np.zeros(targets.shape[1])
    for finding in range(targets.shape[1]):
        known = ~np.isnan(targets[:, finding])
        is_there = targets[known, finding] >= 0.5
        if len(np.unique(is_there)) < 2:
            bias[finding] = 5.0 if is_there.any() else -5.0
            continue
        weights, constants = _scores(standard[known], is_there, settings, balanced)
        kernel[:, finding] = weights[:, 1] - weights[:, 0]
        bias[finding] = constants[1] - constants[0]
    return kernel, bias


def _scores(
    standard: Values, truth: npt.NDArray[Any], settings: LinearClassifier, balanced: bool
) -> Layer:
    """The layer whose softmax is a classifier of the classes that there are, in their order."""
    if settings.method == "lda":
        return _discriminant(standard, truth, balanced)
    weight = "balanced" if balanced else None
    classifier = LogisticRegression(C=settings.C, class_weight=weight, solver="newton-cg")
    classifier.fit(standard, truth)
    weights, constants = classifier.coef_.T, classifier.intercept_
    if len(classifier.classes_) > 2:
        return weights, constants
    return np.hstack([-weights / 2, weights / 2]), np.append(-constants / 2, constants / 2)


def _discriminant(standard: Values, truth: npt.NDArray[Any], balanced: bool) -> Layer:
    """A linear discriminant analysis with each class's covariance shrunk (Ledoit and Wolf 2004).

    That of scikit-learn, which takes minutes for thousands of values: it decomposes the covariance
    into singular values, which a shrunk one does not need.
    """
    classes, counts = np.unique(truth, return_counts=True)
    priors = np.full(len(classes), 1 / len(classes)) if balanced else counts / len(truth)
    means = np.array([standard[truth == name].mean(axis=0) for name in classes])
    covariance = sum(
        prior * _shrunk_covariance(standard[truth == name])
        for name, prior in zip(classes, priors, strict=True)
    )
    kernel = solve(covariance, means.T, assume_a="pos", overwrite_a=True)
    return kernel, np.log(priors) - 0.5 * (means * kernel.T).sum(axis=1)


def _shrunk_covariance(of_class: Values) -> Values:
    """The covariance (values, values) of standardised values, in the values' own scale."""
    if len(of_class) == 1:
        return np.zeros((of_class.shape[1],) * 2)
    scaler = StandardScaler().fit(of_class)
    shrunk, _ = ledoit_wolf(scaler.transform(of_class))
    return np.asarray(scaler.scale_[:, None] * shrunk * scaler.scale_, np.float64)
