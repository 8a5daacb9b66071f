"""A dense layer fitted by a solver is scikit-learn's classifier, and a run of it is a run."""

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import OOF, WEIGHTS, read_run
from kagglecxr.inference.members import rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.features.frozen_features import frozen_features
from kagglecxr.training.features.linear_head import fit_dense_layer
from kagglecxr.training.fold_novelty import learn_novelty
from kagglecxr.training.recipe import LinearClassifier, load_recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.select_recipe import check_model
from kagglecxr.training.stage import build_model
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.run_factories import fold_data

PLAIN = ("weights=", "model=mobilenet_025")


def drawn(images: int, values: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, classes, images)
    centres = 0.5 * random.normal(size=(classes, values))
    return 5.0 + 3.0 * (centres[truth] + random.normal(size=(images, values))), truth


def softmax_of(features: np.ndarray, layer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    scores = features @ layer[0] + layer[1]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("values", [5, 90])
@pytest.mark.parametrize("balanced", [True, False])
def test_it_is_scikit_learns_logistic_regression(classes: int, values: int, balanced: bool) -> None:
    features, truth = drawn(60, values, classes)
    weight = "balanced" if balanced else None
    model = LogisticRegression(C=0.03, class_weight=weight, tol=1e-8, max_iter=5000)
    expected = make_pipeline(StandardScaler(), model).fit(features, truth).predict_proba(features)
    layer = fit_dense_layer(
        features, np.eye(classes)[truth], LinearClassifier(C=0.03),
        balanced=balanced, multilabel=False,
    )  # fmt: skip
    np.testing.assert_allclose(softmax_of(features, layer), expected, atol=2e-3)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("values", [5, 90])
@pytest.mark.parametrize("balanced", [True, False])
def test_it_is_scikit_learns_discriminant_analysis(
    classes: int, values: int, balanced: bool
) -> None:
    features, truth = drawn(60, values, classes)
    priors = np.full(classes, 1 / classes) if balanced else None
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
    expected = make_pipeline(StandardScaler(), model).fit(features, truth).predict_proba(features)
    settings = LinearClassifier(method="lda")
    layer = fit_dense_layer(
        features, np.eye(classes)[truth], settings, balanced=balanced, multilabel=False
    )
    np.testing.assert_allclose(softmax_of(features, layer), expected, atol=1e-6)


@pytest.mark.parametrize("values", [20, 90])
def test_it_keeps_the_values_that_differ_most_between_the_classes(values: int) -> None:
    features, truth = drawn(60, values)
    selected = SelectKBest(f_classif, k=7).fit(features, truth)
    model = LogisticRegression(C=0.03, class_weight="balanced", tol=1e-8, max_iter=5000)
    expected = make_pipeline(StandardScaler(), SelectKBest(f_classif, k=7), model)
    expected.fit(features, truth)
    settings = LinearClassifier(C=0.03, keep=7)
    layer = fit_dense_layer(features, np.eye(3)[truth], settings, balanced=True, multilabel=False)
    np.testing.assert_array_equal(layer[0].any(axis=1), selected.get_support())
    np.testing.assert_allclose(
        softmax_of(features, layer), expected.predict_proba(features), atol=2e-3
    )


def test_of_findings_it_keeps_what_differs_for_any_of_them() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (200, 3)).astype(float)
    features = random.normal(size=(200, 30))
    features[:, 4] += 3 * targets[:, 0]
    features[:, 9] += 3 * targets[:, 2]
    targets[:50, 0] = np.nan
    settings = LinearClassifier(keep=2)
    kernel, _ = fit_dense_layer(features, targets, settings, balanced=False, multilabel=True)
    assert np.flatnonzero(kernel.any(axis=1)).tolist() == [4, 9]


@pytest.mark.parametrize("values", [5, 90])
def test_findings_are_fitted_each_on_its_known_images(values: int) -> None:
    features, truth = drawn(60, values)
    targets = np.eye(4)[truth]
    targets[:20, 0] = np.nan
    layer = fit_dense_layer(
        features, targets, LinearClassifier(C=0.03), balanced=False, multilabel=True
    )
    standard = StandardScaler().fit_transform(features)
    scores = features @ layer[0] + layer[1]
    for finding, rows in ((0, slice(20, None)), (1, slice(None))):
        model = LogisticRegression(C=0.03, tol=1e-8, max_iter=5000)
        model.fit(standard[rows], targets[rows, finding])
        expected = model.decision_function(standard)
        np.testing.assert_allclose(scores[:, finding], expected, atol=2e-2)
    # No image has the last one: it is nowhere reported.
    assert (scores[:, 3] < 0).all()


def test_a_class_of_one_image_is_found() -> None:
    features, truth = drawn(40, 60, 2)
    truth[0] = 2
    settings = LinearClassifier(method="lda")
    layer = fit_dense_layer(features, np.eye(3)[truth], settings, balanced=True, multilabel=False)
    assert softmax_of(features, layer)[0].argmax() == 2


def test_a_class_without_an_image_is_never_predicted() -> None:
    features, truth = drawn(40, 5)
    targets = np.eye(4)[truth]
    layer = fit_dense_layer(features, targets, LinearClassifier(), balanced=True, multilabel=False)
    assert softmax_of(features, layer)[:, 3].max() == 0


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("linear"))


def test_a_run_of_it_predicts_what_was_fitted(own: PreparedDemo) -> None:
    recipe = load_recipe("features", PLAIN)
    prepared, workspace = own.prepared, own.workspace
    run = train_run(prepared, workspace, recipe, Silent(), RunOptions())
    record, oof = read_run(run), Predictions.load(run / OOF)
    held_out = prepared.fold == 0
    rows = prepared.index.rows("train")[held_out]
    model = rebuild_model(record)
    model.load_weights(run / "fold-0" / WEIGHTS)
    images = prepared.cache.images[rows][..., None].astype(np.float32)
    ids = prepared.index.column("id", rows)
    np.testing.assert_allclose(model.predict(images, verbose=0), oof.of(ids), atol=1e-4)


def test_a_head_of_several_layers_is_refused(own: PreparedDemo) -> None:
    recipe = load_recipe("features", (*PLAIN, "model_options.dense=[8]"))
    with pytest.raises(SettingError, match="Leave dense and gem out"):
        train_run(own.prepared, own.workspace, recipe, Silent(), RunOptions())


@pytest.mark.parametrize("change", ["trainable=all", "model=cnn_small", "augmentation.zoom=0.1"])
def test_a_classifier_that_cannot_be_fitted_to_features_is_refused(change: str) -> None:
    with pytest.raises(SettingError, match="A linear classifier is fitted once"):
        check_model(load_recipe("features", [*PLAIN[:1], change]))


def test_what_tells_unusual_images_comes_from_the_same_pass(own: PreparedDemo) -> None:
    recipe = load_recipe("features", PLAIN)
    keras.utils.set_random_seed(0)
    data = fold_data(own)
    model = build_model(data.task, recipe)
    pooled = frozen_features(data, model, recipe, Silent()).fit_inputs(recipe, 0).pooled
    assert pooled is not None
    kept, own_pass = (
        learn_novelty(model, data, np.random.default_rng(0), given) for given in (pooled, None)
    )
    np.testing.assert_allclose(kept.held_out, own_pass.held_out, rtol=1e-2)
