"""What each page says, without a browser: Streamlit's own test driver."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from kagglecxr.core.run_record import OOF
from kagglecxr.core.workspace import Workspace
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.run_model_card import NOT_FOR_DIAGNOSIS
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.controls import FAULT
from kagglecxr.webapp.uploads import MAX_FILES
from tests.webapp.conftest import RIGHT, WRONG, WebDemo

PNG = "image/png"


def _site(words: str) -> None:
    from kagglecxr.webapp.site import show_site

    show_site(words)


def _page(words: str, name: str) -> None:
    from kagglecxr.webapp.errors_page import show_errors
    from kagglecxr.webapp.report_pages import show_audit, show_comparison, show_run
    from kagglecxr.webapp.site import shared_server

    pages = {
        "errors": show_errors,
        "run": show_run,
        "audit": show_audit,
        "comparison": show_comparison,
    }
    pages[name](shared_server(words))


def opened(site: Site, page: str | None = None) -> AppTest:
    words = site.to_json()
    if page is None:
        return AppTest.from_function(_site, kwargs={"words": words}, default_timeout=60).run()
    kwargs = {"words": words, "name": page}
    return checked(AppTest.from_function(_page, kwargs=kwargs, default_timeout=60).run())


def checked(at: AppTest) -> AppTest:
    assert not at.exception, at.exception
    assert FAULT not in [error.value for error in at.error]
    return at


def texts(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.warning, at.error, at.info, at.subheader, at.code)
    shown = "\n".join(str(each.value) for kind in kinds for each in kind)
    return shown.replace("\\", "")


def upload(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    at.file_uploader[0].set_value([(name, data, PNG) for name, data in files])
    return checked(at.run())


@pytest.fixture
def xray(web_demo: WebDemo) -> bytes:
    return web_demo.xrays[0].read_bytes()


def test_an_xray_gets_probabilities_its_lungs_and_a_map(web_demo: WebDemo, xray: bytes) -> None:
    at = upload(opened(web_demo.site), ("chest.png", xray))
    assert at.warning[0].value == NOT_FOR_DIAGNOSIS
    assert "Predicted: **" in texts(at)
    progress = [bar.text for bar in at.progress]
    assert len(progress) == 4
    # Of random predictions one class has no threshold at which nine of ten others are below.
    assert sum("of 90% specificity" in text for text in progress) == 3
    captions = [str(each.value) for each in at.caption]
    assert any("largest probability is predicted." in text for text in captions)
    alts = [picture.alt for each in at.image for picture in each.proto.imgs]
    assert len(alts) == 3
    assert alts[0] == "The X-ray chest.png, lungs outlined in green."
    assert "gradcam" in alts[1]


def test_the_method_and_the_class_are_chosen(web_demo: WebDemo, xray: bytes) -> None:
    at = upload(opened(web_demo.site), ("chest.png", xray))
    at.selectbox(key="method").set_value("gradient_input")
    at.selectbox(key="target").set_value("Viral Pneumonia")
    checked(at.run())
    assert "gradient_input: which pixels speak for Viral Pneumonia." in [
        caption.replace("\\", "") for each in at.image for caption in each.captions
    ]
    assert "Blue speaks against Viral Pneumonia, red for it" in texts(at)
    at.selectbox(key="model").set_value(WRONG)
    assert "Predicted: **" in texts(checked(at.run()))


def test_a_method_that_does_not_hold_is_told(
    web_demo: WebDemo, xray: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kagglecxr.core.errors import SettingError
    from kagglecxr.webapp.model_server import ModelServer

    def refuse(*_: object) -> None:
        raise SettingError("None of the methods holds for this network. Received: lrp_0.")

    monkeypatch.setattr(ModelServer, "explain", refuse)
    at = upload(opened(web_demo.site), ("chest.png", xray))
    assert "None of the methods holds" in at.error[0].value
    assert "Predicted: **" in texts(at)


def test_text_called_png_is_refused_and_the_others_are_shown(
    web_demo: WebDemo, xray: bytes
) -> None:
    at = upload(opened(web_demo.site), ("notes.png", b"these are words"), ("chest.png", xray))
    assert len(at.error) == 1
    assert "Received: notes.png, whose content is something else" in texts(at)
    assert texts(at).count("Predicted: **") == 1


def test_too_many_files_are_told(web_demo: WebDemo) -> None:
    files = [(f"{n}.png", b"words") for n in range(MAX_FILES + 1)]
    at = upload(opened(web_demo.site), *files)
    assert f"Received: {MAX_FILES + 1}" in at.error[0].value
    assert len(at.error) == MAX_FILES + 1


def test_results_go_with_their_file(web_demo: WebDemo, xray: bytes) -> None:
    at = upload(opened(web_demo.site), ("chest.png", xray))
    assert at.session_state["results"]
    upload(at)
    assert not at.session_state["results"]


def test_a_photograph_is_called_unusual(web_demo: WebDemo) -> None:
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)
    at = opened(web_demo.site)
    at.selectbox(key="model").set_value(WRONG)
    checked(at.run())
    upload(at, ("noise.png", cv2.imencode(".png", noise)[1].tobytes()))
    assert "unlike the chest X-rays that the model learned from" in texts(at)


def test_a_fault_is_said_without_a_traceback(
    web_demo: WebDemo, xray: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kagglecxr.webapp.model_server import ModelServer

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ModelServer, "predict", fail)
    at = opened(web_demo.site)
    at.file_uploader[0].set_value([("chest.png", xray, PNG)])
    at.run()
    assert not at.exception
    assert at.error[0].value == FAULT
    assert "secret" not in texts(at)


@pytest.mark.slow
def test_predictions_of_other_classes_are_told(web_demo: WebDemo, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / RIGHT
    shutil.copytree(web_demo.own.workspace.runs / RIGHT, folder)
    oof = Predictions.load(folder / OOF)
    dataclasses.replace(oof, probabilities=oof.probabilities[:, :2], by_view={}).save(folder / OOF)
    site = Site("demo", Workspace(tmp_path, "demo", "demo"))
    assert "Out-of-fold predictions cannot be read" in texts(opened(site, "errors"))
    at = upload(opened(site), ("chest.png", web_demo.xrays[0].read_bytes()))
    assert "Predicted: **" in texts(at)
    assert not any("specificity" in bar.text for bar in at.progress)


def test_a_model_that_is_gone_is_told(web_demo: WebDemo, tmp_path: Path) -> None:
    shutil.copytree(web_demo.own.workspace.runs, tmp_path / "runs")
    at = opened(Site("demo", Workspace(tmp_path, "demo", "demo")), "errors")
    at.selectbox(key="model").set_value(WRONG)
    checked(at.run())
    shutil.rmtree(tmp_path / "runs" / WRONG)
    checked(at.run())
    assert f"{WRONG} is not among the models of this page, which shows {RIGHT}" in texts(at)


@pytest.mark.slow
def test_the_method_stays_only_where_the_model_has_it(web_demo: WebDemo, xray: bytes) -> None:
    site = Site("demo", web_demo.own.workspace, (web_demo.export,))
    at = opened(site)
    at.selectbox(key="model").set_value(RIGHT)
    checked(at.run())
    at.selectbox(key="method").set_value("gradients")
    checked(at.run())
    at.selectbox(key="model").set_value("exported.keras")
    upload(at, ("chest.png", xray))
    assert at.selectbox(key="method").value == "occlusion"
    assert "Predicted: **" in texts(at)


@pytest.mark.slow
def test_an_exported_file_explains_by_hiding(web_demo: WebDemo, xray: bytes) -> None:
    site = Site("demo", Workspace(web_demo.export.parent / "none", "demo"), (web_demo.export,))
    at = upload(opened(site), ("chest.png", xray))
    assert at.selectbox(key="model").value == "exported.keras"
    assert at.selectbox(key="method").options == ["occlusion", "rise"]
    assert "Predicted: **" in texts(at)
    assert not any("specificity" in bar.text for bar in at.progress)


def test_without_a_model_it_says_how_to_make_one(in_folder: Path) -> None:
    at = opened(Site("demo", Workspace(in_folder / "work" / "demo", "demo")))
    checked(at)
    assert not at.file_uploader
    commands = [block.value for block in at.code]
    assert commands[0] == "python -m kagglecxr.demo"
    prepare, train = commands[1].split(" && ")
    assert prepare.startswith("python -m kagglecxr.prepare demo --work ")
    assert train.startswith("python -m kagglecxr.train demo --work ")


@pytest.mark.parametrize("page", ["errors", "run", "audit", "comparison"])
def test_without_a_model_other_pages_say_so(in_folder: Path, page: str) -> None:
    at = opened(Site("demo", Workspace(in_folder / "work" / "demo", "demo")), page)
    assert at.info[0].value.startswith(("There is no run yet", "No model here"))


def test_errors_are_shown_with_their_pictures_and_filtered(web_demo: WebDemo) -> None:
    at = opened(web_demo.site, "errors")
    at.selectbox(key="model").set_value(WRONG)
    checked(at.run())
    table = at.dataframe[0].value
    images = len(web_demo.own.prepared.index.rows("train"))
    assert len(table) == images
    assert f"{images:,} of {images:,} images are wrong" in texts(at)
    assert len(at.image) == 12
    at.selectbox(key="errors-true").set_value(0)
    checked(at.run())
    assert set(at.dataframe[0].value["true"]) == {"COVID"}
    at.selectbox(key="errors-predicted").set_value(0)
    checked(at.run())
    assert "no such error" in at.info[0].value


def test_errors_are_explained(web_demo: WebDemo) -> None:
    at = opened(web_demo.site, "errors")
    plain = [url for each in at.image for url in each.value]
    at.selectbox(key="errors-method").set_value("gradcam")
    checked(at.run())
    mapped = [url for each in at.image for url in each.value]
    assert len(mapped) == len(plain) == 12
    assert not set(mapped) & set(plain)


@pytest.mark.parametrize(
    ("page", "file", "command"),
    [
        ("run", f"runs/{RIGHT}/index.html", f"kagglecxr.audit demo {RIGHT}"),
        ("audit", f"audit/{RIGHT}/index.html", f"kagglecxr.audit demo {RIGHT}"),
        ("comparison", "compare.html", "kagglecxr.compare demo"),
    ],
)
def test_reports_are_shown_once_they_are_written(
    web_demo: WebDemo, tmp_path: Path, page: str, file: str, command: str
) -> None:
    root = tmp_path / "own"
    shutil.copytree(web_demo.own.workspace.runs / RIGHT, root / "runs" / RIGHT)
    site = Site("demo", Workspace(root, "demo", "demo"))
    assert command in opened(site, page).code[0].value
    written = root / file
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text("<p>Here is the page.</p>")
    at = opened(site, page)
    assert not at.code
    (frame,) = at.get("iframe")
    assert "Here is the page" in frame.proto.srcdoc
