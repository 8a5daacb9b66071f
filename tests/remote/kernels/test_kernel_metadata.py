"""kernel-metadata.json keeps every rule of Kaggle's, or says which it breaks."""

import json
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.remote.kernels.kernel_metadata import GPU_SHAPE, TPU_SHAPE, KernelMetadata

WHOLE: dict[str, Any] = {
    "id": "mary/umons-train",
    "title": "Umons: train",
    "code_file": "train.py",
    "language": "python",
    "kernel_type": "script",
    "enable_internet": False,
}


def written(folder: Path, **changes: Any) -> Path:
    (folder / "train.py").write_text("")
    (folder / "kernel-metadata.json").write_text(json.dumps(WHOLE | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "M_a-ry/a1b2c", "title": "a1B2c"},
        {"id": f"mary/{'a' * 50}", "title": "a" * 50},
        {"is_private": "TRUE", "enable_internet": "false"},
        {"machine_shape": GPU_SHAPE, "enable_gpu": True},
        {"machine_shape": TPU_SHAPE, "enable_tpu": True},
        {"machine_shape": GPU_SHAPE},
        {"dataset_sources": ["john/x", "john/lungs-2/13"]},
        {"competition_sources": ["ranzcr-clip"]},
        {"kernel_sources": ["john/umons-tune", "john/umons-tune/2"]},
        {"model_sources": ["keras/densenet/keras/densenet_121.x/3"]},
        {"id_no": 7, "keywords": ["gpu"]},
        {"docker_image": "x", "docker_image_pinning_type": "latest"},
        {"language": "r", "kernel_type": "notebook"},
        {"enable_gpu": True},
    ],
)
def test_what_kaggle_takes_is_taken_and_written_as_it_was(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    metadata = KernelMetadata.read(written(tmp_path, **changes))
    metadata.write(tmp_path)
    assert KernelMetadata.read(tmp_path) == metadata


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "umons-train"}, "owner/slug"),
        ({"id": "mary/umons-train/2"}, "owner/slug"),
        ({"id": "mary/Umons"}, "lower-case"),
        ({"id": "mary/abcd", "title": "abcd1"}, "5 to 50"),
        ({"id": f"mary/{'a' * 51}"}, "5 to 50"),
        ({"id": "owner/umons-train"}, "placeholder"),
        ({"id": "INSERT_USERNAME_HERE/umons-train"}, "placeholder"),
        ({"title": "INSERT_TITLE_HERE"}, "placeholder"),
        ({"title": "abcd"}, "5 to 50"),
        ({"title": "Umons: tune"}, "'umons-tune'"),
        ({"code_file": "../train.py"}, "name alone"),
        ({"code_file": ""}, "name alone"),
        ({"language": "julia"}, "'python'"),
        ({"kernel_type": "dataset"}, "'script'"),
        ({"is_private": "yes"}, "boolean"),
        ({"enable_internet": 1}, "boolean"),
        ({"machine_shape": "NvidiaTeslaP100"}, GPU_SHAPE),
        ({"machine_shape": "TpuV38"}, TPU_SHAPE),
        ({"machine_shape": "Tpu1VmV38"}, TPU_SHAPE),
        ({"machine_shape": "TpuV232"}, "a CPU has replaced it"),
        ({"machine_shape": "TpuV2256"}, "a CPU has replaced it"),
        ({"machine_shape": "T4"}, GPU_SHAPE),
        ({"enable_tpu": "true", "machine_shape": GPU_SHAPE}, TPU_SHAPE),
        ({"dataset_sources": ["datasets/john/x"]}, "leave 'datasets/' out"),
        ({"dataset_sources": ["x"]}, "owner/slug"),
        ({"dataset_sources": ["john/x/latest"]}, "owner/slug/version"),
        ({"dataset_sources": ["username/x"]}, "placeholder"),
        ({"dataset_sources": "john/x"}, "list"),
        ({"competition_sources": ["c/ranzcr-clip"]}, "leave 'c/' out"),
        ({"competition_sources": ["competitions/ranzcr-clip"]}, "leave 'competitions/' out"),
        ({"competition_sources": ["https://www.kaggle.com/c/ranzcr-clip"]}, "slug alone"),
        ({"kernel_sources": ["code/john/umons"]}, "leave 'code/' out"),
        ({"kernel_sources": ["john/umon"]}, "at least 5"),
        ({"model_sources": ["keras/densenet"]}, "framework/variation/version"),
        ({"model_sources": ["keras/densenet/keras/densenet_121"]}, "variation/version"),
        ({"model_sources": ["models/keras/densenet/keras/x/1"]}, "leave 'models/' out"),
        ({"machine-shape": GPU_SHAPE}, "machine_shape"),
    ],
)
def test_what_breaks_a_rule_is_reported_in_one_sentence_with_what_to_do(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError) as caught:
        KernelMetadata.read(written(tmp_path, **changes))
    sentence = str(caught.value)
    assert message in sentence
    assert str(tmp_path / "kernel-metadata.json") in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(("kind", "shape"), [("gpu", GPU_SHAPE), ("tpu", TPU_SHAPE)])
def test_an_accelerator_without_a_shape_is_taken_with_a_warning(kind: str, shape: str) -> None:
    own = KernelMetadata.parse(WHOLE | {f"enable_{kind}": True})
    assert own.accelerator == kind
    (warning,) = own.warnings()
    assert shape in warning
    named = KernelMetadata.parse(WHOLE | {f"enable_{kind}": True, "machine_shape": shape})
    assert named.warnings() == []


def test_the_id_is_read_whatever_else_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "kernel-metadata.json"
    path.write_text('{"id": "mary/lungs", "machine_shape": "Cray-1", "colour": "red"}')
    assert KernelMetadata.read_id(tmp_path) == "mary/lungs"
    for text in ("{}", '{"id": "lungs"}'):
        path.write_text(text)
        with pytest.raises(SettingError, match="owner/slug"):
            KernelMetadata.read_id(tmp_path)


@pytest.mark.parametrize("key", WHOLE)
def test_what_kaggle_has_no_good_default_for_must_be_there(key: str) -> None:
    with pytest.raises(SettingError, match=f"no {key}"):
        KernelMetadata.parse({k: value for k, value in WHOLE.items() if k != key})


def test_what_is_always_written(tmp_path: Path) -> None:
    KernelMetadata.parse(WHOLE).write(tmp_path)
    values = json.loads((tmp_path / "kernel-metadata.json").read_text())
    assert values["enable_internet"] is False
    assert values["is_private"] is True
    assert "" not in values.values()
    assert None not in values.values()


def test_what_is_not_there_or_no_json_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"kernel build"):
        KernelMetadata.read(tmp_path)
    written(tmp_path)
    (tmp_path / "train.py").unlink()
    with pytest.raises(MissingError, match=r"train\.py"):
        KernelMetadata.read(tmp_path)
    (tmp_path / "kernel-metadata.json").write_text("{")
    with pytest.raises(SettingError, match="not JSON"):
        KernelMetadata.read(tmp_path)
