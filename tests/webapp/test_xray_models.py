"""The page predicts and explains as the verbs do, with runs and with exported files."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.data.images.decode import read_image
from kagglecxr.ensembling.predict_images import predict_images
from kagglecxr.saliency.explain_members import ImagesToExplain
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.model_choices import ModelChoice
from kagglecxr.webapp.model_server import KEPT_MODELS, ModelServer
from tests.conftest import SIZE
from tests.webapp.conftest import RIGHT, WRONG, WebDemo


@pytest.fixture(scope="module")
def server(web_demo: WebDemo) -> ModelServer:
    return ModelServer(Site("demo", web_demo.own.workspace, (web_demo.export,)))


def choice_of(server: ModelServer, label: str) -> ModelChoice:
    return {each.label: each for each in server.choices()}[label]


@pytest.mark.parametrize("label", ["exported.keras", RIGHT, WRONG])
def test_it_predicts_as_the_verb(
    web_demo: WebDemo, server: ModelServer, label: str, tmp_path: Path
) -> None:
    choice = choice_of(server, label)
    paths = [str(path) for path in web_demo.xrays]
    expected = predict_images(
        choice.path, paths, tmp_path, Silent(), pools=(), skip_unreadable=False
    )
    for number, path in enumerate(web_demo.xrays):
        predicted = server.predict(choice, read_image(path))
        assert np.allclose(predicted.probabilities, expected.probabilities[number], atol=1e-5)
        assert server.model(choice).classes[predicted.target] == expected.labels[number]
        known = expected.unusual is not None
        assert predicted.unusual == (bool(expected.unusual[number]) if known else None)


def test_the_file_predicts_as_its_run(web_demo: WebDemo, server: ModelServer) -> None:
    image = read_image(web_demo.xrays[0])
    of_file = server.predict(choice_of(server, "exported.keras"), image)
    of_run = server.predict(choice_of(server, RIGHT), image)
    assert np.allclose(of_file.probabilities, of_run.probabilities, atol=1e-5)


@pytest.mark.parametrize("label", ["exported.keras", RIGHT])
def test_an_explanation_lies_on_what_the_model_sees(
    web_demo: WebDemo, server: ModelServer, label: str
) -> None:
    image = read_image(web_demo.xrays[0])
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[: len(mask) // 2] = 255
    explained = server.explain(choice_of(server, label), image, mask, 1, "occlusion")
    assert explained.map.shape == explained.image.shape[:2]
    assert explained.lungs is not None
    height = len(explained.lungs)
    assert explained.lungs[: height // 2 - 1].all()
    assert not explained.lungs[height // 2 + 1 :].any()
    assert np.abs(explained.map).max() > 0


def test_a_run_is_explained_by_the_mean_of_its_folds(
    web_demo: WebDemo, server: ModelServer
) -> None:
    image, choice = read_image(web_demo.xrays[0]), choice_of(server, WRONG)
    explained = server.explain(choice, image, None, 0, "gradient_input")
    assert explained.image.shape == (SIZE, SIZE)
    assert explained.lungs is None
    pixels = explained.image.reshape(1, SIZE, SIZE, 1)
    every = [ImagesToExplain([name], pixels, np.array([0])) for name in ("", "of no index")]
    maps = [server.explain_held_out(choice, one, "gradient_input")[0] for one in every]
    assert np.allclose(maps[0], explained.map)
    assert np.allclose(maps[1], explained.map)


def test_an_image_of_the_index_is_explained_by_its_own_fold(
    web_demo: WebDemo, server: ModelServer
) -> None:
    choice, prepared = choice_of(server, WRONG), web_demo.own.prepared
    name = prepared.index.column("id", prepared.index.rows("train"))[0]
    pixels = np.asarray(prepared.cache.images[:1]).reshape(1, SIZE, SIZE, 1)
    own, other = (
        server.explain_held_out(choice, ImagesToExplain([each], pixels, np.array([0])), "gradcam")
        for each in (name, "")
    )
    assert not np.allclose(own, other)


def test_hiding_nothing_changes_nothing(server: ModelServer) -> None:
    flat = np.full((40, 60), 100, np.uint8)
    explained = server.explain(choice_of(server, "exported.keras"), flat, None, 0, "occlusion")
    assert np.allclose(explained.map, 0, atol=1e-5)


def test_a_large_image_is_explained_as_a_small_one(server: ModelServer) -> None:
    image = cv2.resize(np.eye(8, dtype=np.uint8) * 200, (900, 600))
    explained = server.explain(choice_of(server, "exported.keras"), image, None, 0, "rise")
    assert explained.image.shape == (171, 256)


def test_a_file_has_no_folds(web_demo: WebDemo, server: ModelServer) -> None:
    wanted = ImagesToExplain(["a"], np.zeros((1, SIZE, SIZE, 1), np.uint8), np.array([0]))
    with pytest.raises(SettingError, match="no folds"):
        server.explain_held_out(choice_of(server, "exported.keras"), wanted, "gradcam")


def test_lungs_have_the_size_of_the_image(web_demo: WebDemo, server: ModelServer) -> None:
    image = read_image(web_demo.xrays[0])
    found = server.find_lungs(image)
    assert found.mask.shape == image.shape[:2]
    assert 0.1 < (found.mask > 0).mean() < 0.6


def test_a_model_is_loaded_once_until_it_is_made_anew(
    web_demo: WebDemo, server: ModelServer
) -> None:
    choice = choice_of(server, RIGHT)
    loaded = server.model(choice)
    assert server.model(choice) is loaded
    (choice.path / "run.json").touch()
    anew = choice_of(server, RIGHT)
    assert server.model(anew) is not loaded
    for label in ("exported.keras", WRONG, RIGHT):
        server.model(choice_of(server, label))
    assert len(server._models) <= KEPT_MODELS


def test_visitors_at_once_get_what_each_would_alone(web_demo: WebDemo, server: ModelServer) -> None:
    choices = [choice_of(server, label) for label in (RIGHT, WRONG, "exported.keras")]
    images = [read_image(path) for path in web_demo.xrays]
    asked = [(choice, image) for choice in choices for image in images]
    alone = [server.predict(*each).probabilities for each in asked]
    together: dict[int, np.ndarray] = {}

    def ask(number: int) -> None:
        together[number] = server.predict(*asked[number]).probabilities

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(together[n], alone[n], atol=1e-6) for n in range(len(asked)))


def test_a_run_of_one_size_refuses_others(web_demo: WebDemo, server: ModelServer) -> None:
    import dataclasses

    model = server.model(choice_of(server, RIGHT))
    member = model.predictor.members[0]
    plain = dataclasses.replace(member, record=dataclasses.replace(member.record, pipeline="gray"))
    one_size = dataclasses.replace(
        model, predictor=dataclasses.replace(model.predictor, members=[plain])
    )
    with pytest.raises(DataError, match="one size"):
        one_size.predict(np.zeros((30, 30), np.uint8))
