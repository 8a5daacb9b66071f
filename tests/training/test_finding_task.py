"""From a table of findings to a scored submission: sigmoids, and nothing of what is not known."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, SettingError, UnknownNameError
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import OOF, TEST, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.data.prepared import PreparedData, load_prepared
from kagglecxr.data.samplers.multilabel import MultiLabelSampler
from kagglecxr.ensembling.blend import blend_runs
from kagglecxr.ensembling.ensemble_options import EnsembleOptions
from kagglecxr.ensembling.predict_images import predict_images
from kagglecxr.inference.export.exporter import export_model
from kagglecxr.inference.export.file_formats import FORMATS
from kagglecxr.inference.members import members_for_data, rebuild_model
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.baselines import baseline_predictions
from kagglecxr.leaderboard.rehearsal import rehearse
from kagglecxr.leaderboard.solution import read_solution
from kagglecxr.reports.comparison import compare_runs
from kagglecxr.reports.comparison_page import render_comparison
from kagglecxr.reports.run_page import write_run_page
from kagglecxr.reports.run_report import report_run
from kagglecxr.reports.saliency_report import images_to_explain, report_saliency
from kagglecxr.saliency.explain_options import ExplainOptions
from kagglecxr.saliency.methods import chosen_methods
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions, describe_run, train_run
from kagglecxr.training.tasks import make_task
from kagglecxr.webapp.app_options import Site
from kagglecxr.webapp.decision_thresholds import decision_thresholds
from kagglecxr.webapp.model_server import ModelServer
from tests.webapp.test_pages import opened, texts, upload

FINDINGS = ["Edema", "Mass", "Rare"]
PLACES = {"Edema": (4, 4), "Mass": (4, 16), "Rare": (16, 4)}
IMAGES, SIDE = 150, 24
# TensorFlow traces AdamW's graph for seconds, SGD's at once.
FAST = (
    "model=cnn_small", "model_options.width=4", "epochs=10", "batch_size=24", "optimizer=sgd",
    "learning_rate=0.2",
)  # fmt: skip
TOML = """name = "found"
[source]
kind = "folder"
[classes]
uncertain = "ignore"
multilabel = true
[layout]
train = ["images/*"]
labels = "findings.csv"
patient = '^(p[0-9]+)_'
[submission]
id = "image"
"""


@dataclass(frozen=True)
class FindingData:
    """A competition of bright squares, one for each finding."""

    prepared: PreparedData
    workspace: Workspace


def draw(root: Path) -> pd.DataFrame:
    """Writes images of 75 patients and their table, in which some masses are uncertain."""
    random = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    lines = []
    for number in range(IMAGES):
        image = random.integers(60, 100, (SIDE, SIDE)).astype(np.uint8)
        has = dict(zip(FINDINGS, random.random(3) < (0.4, 0.3, 0.1), strict=True))
        for name, (top, left) in PLACES.items():
            if has[name]:
                image[top : top + 5, left : left + 5] = 230
        name = f"p{number // 2}_{number % 2}.png"
        cv2.imwrite(str(root / "images" / name), image)
        cells = {finding: "1" if there else "0" for finding, there in has.items()}
        if number % 10 == 0:
            cells["Mass"] = "-1"
        lines.append({"image": name, **cells})
    table = pd.DataFrame(lines)
    table.to_csv(root / "findings.csv", index=False)
    (root / "found.toml").write_text(TOML)
    return table


def drawn_and_prepared(root: Path) -> FindingData:
    """Draws the competition in a folder, and prepares it."""
    draw(root)
    competition = load_competition(root / "found.toml")
    workspace = Workspace(root / "work", competition.name)
    options = PrepareOptions(root, SIDE, "gray | resize", 0.2, 3, False, 0)
    prepared = prepare_competition(competition, workspace, options, Silent())
    return FindingData(prepared, workspace)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FindingData:
    return drawn_and_prepared(tmp_path_factory.mktemp("found"))


@pytest.fixture(scope="module")
def run(data: FindingData) -> Path:
    recipe = make_recipe({}, FAST)
    return train_run(data.prepared, data.workspace, recipe, Silent(), RunOptions(0))


def test_the_table_is_read_with_what_is_not_known(data: FindingData) -> None:
    prepared = data.prepared
    assert prepared.competition.targets() == FINDINGS
    truth = prepared.findings()
    assert 8 <= np.isnan(truth[:, 1]).sum() <= 15
    assert not np.isnan(truth[:, [0, 2]]).any()
    again = load_prepared(load_competition(prepared.root / "found.toml"), data.workspace)
    assert np.array_equal(again.findings(), truth, equal_nan=True)
    assert again.competition.submission == prepared.competition.submission
    assert again.competition.submission.form == "one_column_a_class"
    assert prepared.competition.evaluation_metric().name == "mean_auc"


def test_each_fold_and_the_test_set_have_the_rare_finding(data: FindingData) -> None:
    rare = data.prepared.findings()[:, 2] == 1
    counts = np.bincount(data.prepared.fold[rare], minlength=3)
    assert counts.max() - counts.min() <= 2
    solution = pd.read_csv(data.workspace.solution)
    assert solution["label"].str.contains("Rare").any()


def test_batches_have_each_finding(data: FindingData) -> None:
    task = make_task(data.prepared)
    part = data.prepared.fold != 0
    sampler = task.sampler(part, make_recipe({}, FAST), 0)
    assert isinstance(sampler, MultiLabelSampler)
    targets = task.targets(part)
    batches = targets[sampler.order(0)].reshape(sampler.batches, 24, 3)
    # Images whose mass is uncertain, and which have nothing else, may be none without a finding.
    unclear = np.isnan(targets).any(axis=1) & ~(targets == 1).any(axis=1)
    most = -(-int(unclear.sum()) // sampler.batches)
    assert 0 < most < 4
    assert (np.nansum(batches, axis=1) >= (24 - most) // 4).all()
    with pytest.raises(SettingError, match="sampling=balanced"):
        task.sampler(part, make_recipe({}, ["sampling=oversampled"]), 0)


def test_class_weights_are_those_of_the_loss(data: FindingData) -> None:
    truth = data.prepared.findings()
    task = make_task(data.prepared)
    plain = task.loss(make_recipe({}, ["sampling=natural"]))
    weighted = task.loss(make_recipe({}, ["sampling=class_weights"]))
    there = np.array([[1.0, np.nan, np.nan]], np.float32)
    outputs = np.full((1, 3), 0.3, np.float32)
    factor = (truth[:, 0] == 0).sum() / (truth[:, 0] == 1).sum()
    assert np.isclose(float(weighted(there, outputs)), factor * float(plain(there, outputs)))


def test_the_focal_loss_has_the_recipe_s_gamma(data: FindingData) -> None:
    task, truth = make_task(data.prepared), np.ones((1, 3), np.float32)
    outputs = np.full((1, 3), 0.3, np.float32)
    losses = [
        float(task.loss(make_recipe({}, ["loss=focal", f"focal_gamma={gamma}"]))(truth, outputs))
        for gamma in (0, 5)
    ]
    assert losses[0] == pytest.approx(-np.log(0.3), rel=1e-5)
    assert losses[1] == pytest.approx(-(0.7**5) * np.log(0.3), rel=1e-5)


def test_the_toml_may_say_what_the_table_says_but_not_deny_it(
    data: FindingData, tmp_path: Path
) -> None:
    root = data.prepared.root
    for text, is_same in (
        (TOML, True),
        (TOML.replace("multilabel = true\n", ""), True),
        (TOML.replace("multilabel = true", "multilabel = false"), False),
        (TOML.replace('"ignore"', '"positive"'), False),
    ):
        path = tmp_path / "found.toml"
        path.write_text(text.replace('kind = "folder"', f'kind = "folder"\npath = "{root}"'))
        if is_same:
            assert load_prepared(load_competition(path), data.workspace).findings().any()
        else:
            with pytest.raises(DataError, match="has changed since"):
                load_prepared(load_competition(path), data.workspace)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "image"', 'id = "image"\nform = "class"', "one_column_a_class, joined, long"),
        ("[classes]", '[metric]\nname = "f1"\n[classes]', "no metric of findings"),
        ("[classes]\n", '[classes]\nfolders = { Mass = "m" }\nnames = ["Edema", "Mass", "Rare"]\n',
         "neither pools nor folders"),
    ],
)  # fmt: skip
def test_what_is_of_classes_does_not_fit_findings(
    data: FindingData, tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = TOML.replace("multilabel = true\n", "").replace(old, new)
    path = tmp_path / "found.toml"
    path.write_text(text)
    options = PrepareOptions(data.prepared.root, SIDE, "gray | resize", 0.2, 3, False, 0)
    with pytest.raises((SettingError, UnknownNameError), match=told):
        prepare_competition(load_competition(path), Workspace(tmp_path, "f"), options, Silent())


def test_training_learns_each_finding(data: FindingData, run: Path) -> None:
    record, oof = read_run(run), Predictions.load(run / OOF)
    assert record.multilabel
    assert record.targets == FINDINGS
    assert oof.truth.shape == oof.probabilities.shape
    assert FINDING_METRICS["mean_auc"](oof.truth, oof.probabilities) > 0.9
    assert record.metrics["oof_mean_auc"] > 0.9
    assert "mean auc 0.9" in describe_run(run, "mean_auc") or "mean auc 1.0" in describe_run(
        run, "mean_auc"
    )
    model = rebuild_model(record)
    assert model.layers[-1].activation.__name__ == "sigmoid"


def test_a_table_and_curves_are_written(run: Path) -> None:
    files = {path.name for path in report_run(run)}
    assert files == {"learning_curves.png", "findings.csv"}
    table = pd.read_csv(run / "findings.csv")
    assert table["finding"].tolist() == FINDINGS
    assert table["unknown"].tolist()[0] == 0 < table["unknown"].tolist()[1]


def test_a_submission_has_a_column_a_finding_and_is_scored(
    data: FindingData, run: Path, tmp_path: Path
) -> None:
    prepared, workspace = data.prepared, data.workspace
    blend = blend_runs(prepared, workspace, [run], tmp_path, Silent())
    submission = pd.read_csv(blend.submission)
    assert list(submission.columns) == ["image", *FINDINGS]
    assert blend.record.out_of_fold == pytest.approx(read_run(run).metrics["oof_mean_auc"])
    result = rehearse(
        blend.submission, prepared.competition, workspace, tmp_path / "ledger.csv",
        baseline_predictions(prepared), time="now",
    )  # fmt: skip
    solution = pd.read_csv(workspace.solution).merge(submission, left_on="id", right_on="image")
    known = ~solution["label"].str.contains(r"\?Mass")
    by_hand = [
        FINDING_METRICS["mean_auc"](
            part["label"].str.contains(name).to_numpy(float)[:, None], part[[name]].to_numpy()
        )
        for name, part in {**dict.fromkeys(FINDINGS, solution), "Mass": solution[known]}.items()
    ]
    assert result.interval.score == pytest.approx(np.mean(by_hand))
    constant = next(row for row in result.board if row.name == "majority class")
    assert constant.score == 0.5


def test_a_submission_joins_the_names_that_thresholds_report(
    data: FindingData, run: Path, tmp_path: Path
) -> None:
    path, form = data.prepared.root / "joined.toml", '"image"\nform = "joined"\nseparator = " "'
    path.write_text(TOML.replace('"image"', form).replace('"found"', '"joined"'))
    competition = load_competition(path)
    own = Workspace(tmp_path / "work", competition.name)
    shutil.copytree(data.workspace.root, own.root)
    options = PrepareOptions(data.prepared.root, SIDE, "gray | resize", 0.2, 3, False, 0)
    prepared = prepare_competition(competition, own, options, Silent())
    metric = prepared.competition.evaluation_metric()
    assert metric.name == "macro_f1"
    blend = blend_runs(
        prepared, own, [own.runs / run.name], tmp_path, Silent(),
        EnsembleOptions(thresholds="fitted"),
    )  # fmt: skip
    weights = blend.record.combine.class_weights
    assert len(weights) == 3
    answers = pd.read_csv(blend.submission).set_index("image")["label"]
    assert answers.str.contains("Edema Mass").any()
    assert (answers == "No Finding").any()
    result = rehearse(
        blend.submission, prepared.competition, own, tmp_path / "ledger.csv",
        baseline_predictions(prepared), time="now",
    )  # fmt: skip
    solution = read_solution(own, prepared.competition.classes)
    said = [[float(name in answers[image].split(" ")) for name in FINDINGS]
            for image in solution.ids]  # fmt: skip
    assert result.metric == "macro_f1"
    assert result.interval.score == pytest.approx(metric(solution.truth, np.array(said)))
    assert result.interval.score > 0.6


def test_a_test_set_without_a_finding_has_no_score(
    data: FindingData, run: Path, tmp_path: Path
) -> None:
    own = Workspace(tmp_path / "work", data.workspace.competition)
    shutil.copytree(data.workspace.root, own.root, ignore=shutil.ignore_patterns("cache"))
    blend = blend_runs(data.prepared, data.workspace, [run], tmp_path, Silent())
    solution = pd.read_csv(own.solution).assign(label="No Finding")
    solution.to_csv(own.solution, index=False)
    with pytest.raises(DataError, match=r"no mean auc.*larger --test"):
        rehearse(
            blend.submission,
            data.prepared.competition,
            own,
            tmp_path / "ledger.csv",
            {},
            time="now",
        )
    assert not (tmp_path / "ledger.csv").exists()


def test_files_get_the_findings_that_are_present(
    data: FindingData, run: Path, tmp_path: Path
) -> None:
    paths = sorted(str(path) for path in (data.prepared.root / "images").iterdir())[:20]
    found = predict_images(run, paths, tmp_path, Silent(), pools=(), skip_unreadable=False)
    for label, row in zip(found.labels, found.probabilities, strict=True):
        present = [name for name, value in zip(FINDINGS, row, strict=True) if value >= 0.5]
        assert label == ("|".join(present) or "No Finding")
    with pytest.raises(SettingError, match="--pool"):
        predict_images(run, paths, tmp_path, Silent(), pools=["a=Mass"], skip_unreadable=False)


@pytest.mark.parametrize(
    "form", ["keras", *(pytest.param(f, marks=pytest.mark.slow) for f in ("tflite", "onnx"))]
)
def test_an_exported_file_knows_that_there_may_be_several(
    data: FindingData, run: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"found.{form}"
    members = members_for_data([run], data.prepared)
    export_model(data.prepared, members, FORMATS[form], path, Silent())
    paths = sorted(str(image) for image in (data.prepared.root / "images").iterdir())[:12]
    ours, files = (
        predict_images(model, paths, tmp_path, Silent(), pools=(), skip_unreadable=False)
        for model in (run, path)
    )
    assert files.labels == ours.labels
    assert any("|" in label or label == "No Finding" for label in files.labels)


def test_the_comparison_and_the_page_are_of_findings(data: FindingData, run: Path) -> None:
    competition = load_competition(data.prepared.root / "found.toml")
    compared = compare_runs(competition, data.workspace, Path("ledger.csv"), Silent(), seed=0)
    page = render_comparison(compared, data.workspace, competition, 0, Silent())
    own = write_run_page(competition, data.workspace, run, 0, Silent())
    for text in (page, own.read_text(encoding="utf-8")):
        for title in ("Findings", "Thresholds", "Findings together", "Most confident errors"):
            assert f"<h2>{title}</h2>" in text
    assert "Out-of-fold mean auc" in compared.table.iloc[:, 0].tolist()
    assert compared.sentences[0].startswith(f"{run.name} is the only one")
    assert "Out-of-fold mean auc" in (run / "model_card.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_findings_are_explained_one_by_one(data: FindingData, run: Path, tmp_path: Path) -> None:
    members = members_for_data([run], data.prepared)
    options = ExplainOptions(number=1)
    report = report_saliency(
        data.prepared, members, chosen_methods(["occlusion"]), tmp_path, options, Silent(), 0
    )
    chosen = report.images
    found = chosen[chosen["group"] == "surest found"].set_index("predicted")
    assert set(found.index) >= {"Edema", "Mass"}
    maps = np.load(tmp_path / "maps.npz")["occlusion"]
    for name, (top, left) in PLACES.items():
        for row in chosen.index[
            (chosen["group"] == "surest found") & (chosen["predicted"] == name)
        ]:
            assert name in chosen["true"][row].split("|")
            inside = maps[row][top : top + 5, left : left + 5].mean()
            assert inside > np.abs(maps[row]).mean()
    named = images_to_explain(data.prepared, members, ExplainOptions(images=(chosen["id"][0],)))
    assert named["group"].tolist() == ["named"]


@pytest.mark.slow
def test_the_page_says_which_findings_are_present(data: FindingData, run: Path) -> None:
    given = data.prepared.root / "scored.toml"
    given.write_text(f'{TOML}[metric]\nname = "mean_auc"\n')
    site = Site(str(given), data.workspace)
    server = ModelServer(site)
    choice = next(each for each in server.choices() if each.path == run)
    assert server.model(choice).multilabel
    path = next((data.prepared.root / "images").iterdir())
    image = read_image(path)
    predicted = server.predict(choice, image).probabilities
    present = [n for n, value in zip(FINDINGS, predicted, strict=True) if value >= 0.5]
    at = upload(opened(site), ("chest.png", path.read_bytes()))
    said = next(text.value for text in at.markdown if "Predicted: " in text.value)
    assert all(f"**{name}**" in said for name in present or ["No Finding"])
    assert said.count("**") == 2 * max(1, len(present))
    assert "labels are predicted wrongly" in texts(opened(site, "errors"))
    explained = server.explain(choice, image, None, 1, "gradcam")
    assert explained.map.shape == (SIDE, SIDE)
    thresholds = decision_thresholds(run, 3)
    oof = Predictions.load(run / OOF)
    assert thresholds is not None
    known = oof.truth[:, 1] == 0
    assert (oof.probabilities[known, 1] >= thresholds[1]).mean() <= 0.1


def test_an_ensemble_is_blended_calibrated_and_from_views_of_its_own(
    data: FindingData, run: Path, tmp_path: Path
) -> None:
    options = EnsembleOptions(calibrate="vector", views="hflip")
    blend = blend_runs(data.prepared, data.workspace, [run], tmp_path, Silent(), options)
    assert (blend.record.views, blend.record.combine.calibration.method) == (
        ["identity", "hflip"],
        "vector",
    )
    oof, test = (Predictions.load(blend.folder / file) for file in (OOF, TEST))
    assert np.array_equal(oof.truth, data.prepared.findings(), equal_nan=True)
    score = FINDING_METRICS["mean_auc"](oof.truth, oof.probabilities)
    assert blend.record.out_of_fold == pytest.approx(score)
    rows = data.prepared.index.rows("test")
    paths = [str(data.prepared.root / p) for p in data.prepared.index.column("path", rows)]
    found = predict_images(blend.folder, paths, tmp_path, Silent(), pools=(), skip_unreadable=False)
    np.testing.assert_allclose(found.probabilities, test.probabilities, atol=1e-4)
