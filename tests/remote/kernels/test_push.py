"""A push is believed only as far as Kaggle's response goes."""

import json
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.errors import CxrError, MissingError, SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.push import (
    KernelVersion,
    SessionLimitError,
    accelerator_quotas,
    push_kernel,
)
from kagglecxr.remote.kernels.status import kernel_status
from tests.remote.conftest import KEY
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response
from tests.remote.kernels.fake_kernels import QUOTA, SAVE, STATUS, FakeKernels
from tests.remote.recording import FakeClock, RecordingReporter


def failure(folder: Path, kind: type[CxrError] = KaggleError) -> str:
    with pytest.raises(kind) as caught:
        push_kernel(folder, Silent())
    return str(caught.value)


def change(folder: Path, **changes: Any) -> None:
    path = folder / "kernel-metadata.json"
    write_json(path, read_json(path) | changes)


def test_what_the_metadata_say_arrives(fake_kernels: FakeKernels, kernel_folder: Path) -> None:
    assert push_kernel(kernel_folder, Silent()) == KernelVersion(
        "mary/umons-train", 1, "https://www.kaggle.com/code/mary/umons-train"
    )
    (sent,) = fake_kernels.pushed
    assert sent["text"] == (kernel_folder / "train.py").read_text()
    assert (sent["slug"], sent["newTitle"]) == ("mary/umons-train", "umons-train")
    assert (sent["isPrivate"], sent["enableGpu"], sent["machineShape"]) == (
        True,
        True,
        "NvidiaTeslaT4",
    )
    # The client's own default is on.
    assert sent.get("enableInternet", False) is False
    assert sent["datasetDataSources"] == ["mary/kagglecxr-wheels"]
    assert sent["competitionDataSources"] == ["covid-19-challenge-umons"]
    assert (sent["language"], sent["kernelType"]) == ("python", "script")


def test_a_kernel_of_the_user_s_own_is_pushed_with_a_warning(
    fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    change(kernel_folder, enable_gpu=True, machine_shape="", kernel_type="notebook")
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (kernel_folder / "train.py").write_text(json.dumps(notebook))
    reporter = RecordingReporter()
    push_kernel(kernel_folder, reporter)
    assert "Kaggle chooses the GPU" in reporter.notes[0]
    assert fake_kernels.pushed[0]["kernelType"] == "notebook"


def test_an_error_in_the_response_is_one(fake_kernels: FakeKernels, kernel_folder: Path) -> None:
    fake_kernels.answer = {"error": "Notebook not found"}
    assert "refuses the kernel. Received: Notebook not found" in failure(kernel_folder)


def test_too_many_sessions_are_an_error_of_their_own(
    fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    fake_kernels.at_a_time = 0
    assert "when one has ended" in failure(kernel_folder, SessionLimitError)


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("invalidDatasetSources", "dataset_sources"),
        ("invalidCompetitionSources", "competition_sources"),
        ("invalidKernelSources", "kernel_sources"),
        ("invalidModelSources", "model_sources"),
    ],
)
def test_sources_that_were_dropped_are_an_error(
    field: str, key: str, fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    fake_kernels.answer = {field: ["mary/gone"]}
    message = failure(kernel_folder)
    assert f"{key} mary/gone, in version 1 of mary/umons-train" in message
    assert "push again" in message


def test_another_name_than_the_id_s_is_an_error(
    fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    fake_kernels.answer = {"ref": "/code/mary/umons-train-2"}
    assert "another name. Received: umons-train-2" in failure(kernel_folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": "Another title"}, "another-title"),
        ({"id": "INSERT_OWNER/umons-train"}, "placeholder"),
        ({"machine_shape": "NvidiaTeslaP100"}, "NvidiaTeslaT4"),
        ({"dataset_sources": ["datasets/mary/wheels"]}, "datasets/"),
    ],
)
def test_metadata_that_break_a_rule_are_not_sent(
    changes: dict[str, Any], message: str, fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    change(kernel_folder, **changes)
    assert message in failure(kernel_folder, SettingError)
    assert fake_kernels.pushed == []


def test_a_script_that_is_not_there_is_not_sent(
    fake_kernels: FakeKernels, kernel_folder: Path
) -> None:
    (kernel_folder / "train.py").unlink()
    assert "does not exist" in failure(kernel_folder, MissingError)


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        (401, "does not accept the credentials"),
        (403, "refuses access"),
        (404, "does not know"),
        (409, "does not accept the request"),
        (500, "fault of its own"),
    ],
)
def test_each_refusal_is_one_sentence(
    status: int, wrong: str, fake_kernels: FakeKernels, kernel_folder: Path, fake_kaggle: FakeKaggle
) -> None:
    for call in (SAVE, STATUS):
        fake_kaggle.on(call, error_response(status, f"said {KEY}"))
    for message in (failure(kernel_folder), status_failure("mary/umons-train")):
        assert wrong in message
        assert KEY not in message
        assert "\n" not in message


def status_failure(kernel: str) -> str:
    with pytest.raises(KaggleError) as caught:
        kernel_status(kernel, Silent())
    return str(caught.value)


def test_too_many_requests_are_waited_out(
    fake_kernels: FakeKernels, kernel_folder: Path, fake_kaggle: FakeKaggle, clock: FakeClock
) -> None:
    fake_kaggle.on(SAVE, error_response(429), fake_kernels._save)
    pushed = push_kernel(kernel_folder, Silent())
    assert (pushed.version, clock.slept) == (1, [15.0])


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "COMPLETE", "CANCEL_ACKNOWLEDGED"])
def test_the_status_is_kaggle_s(status: str, fake_kernels: FakeKernels) -> None:
    fake_kernels.status["umons-train"] = status
    state = kernel_status("mary/umons-train", Silent())
    assert str(state) == status.lower()
    assert state.has_ended is (status in ("COMPLETE", "CANCEL_ACKNOWLEDGED"))


def test_the_reason_of_an_error_is_reported(fake_kernels: FakeKernels) -> None:
    fake_kernels.status["umons-train"], fake_kernels.failure = (
        "ERROR",
        "Your notebook tried to allocate too much",
    )
    state = kernel_status("mary/umons-train", Silent())
    assert str(state) == "error: Your notebook tried to allocate too much"


def test_a_kernel_that_was_never_pushed_is_reported(fake_kernels: FakeKernels) -> None:
    assert "kagglecxr.kernel push" in status_failure("mary/nothing")


def quota(used: float, allowed: float = 30.0) -> dict[str, str]:
    return {"timeUsed": f"{used * 3600:.0f}s", "totalTimeAllowed": f"{allowed * 3600:.0f}s"}


def test_hours_are_read_for_each_accelerator(fake_kaggle: FakeKaggle) -> None:
    refresh = {"quotaRefreshTime": "2026-11-28T00:00:00Z"}
    fake_kaggle.on(
        QUOTA, json_response({"gpuQuota": quota(7.5), "tpuQuota": quota(20, 20)} | refresh)
    )
    found = accelerator_quotas()
    assert str(found["gpu"]) == "7.5 of 30.0 hours used, refreshed 2026-11-28 00:00 UTC"
    assert (found["gpu"].is_exhausted, found["tpu"].is_exhausted) == (False, True)


@pytest.mark.parametrize(
    "answer", [error_response(401), error_response(429), error_response(500), json_response({})]
)
def test_an_unknown_quota_hinders_nothing(
    answer: FakeResponse, fake_kernels: FakeKernels, kernel_folder: Path, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(QUOTA, answer)
    assert accelerator_quotas() == {}
    assert push_kernel(kernel_folder, Silent()).version == 1


def test_without_credentials_it_is_unknown(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert accelerator_quotas() == {}
    assert fake_kaggle.requests == []


def test_a_kernel_is_not_pushed_to_an_accelerator_without_time_left(
    fake_kernels: FakeKernels, kernel_folder: Path, fake_kaggle: FakeKaggle
) -> None:
    fake_kaggle.on(QUOTA, json_response({"gpuQuota": quota(30), "tpuQuota": quota(0, 20)}))
    with pytest.raises(
        KaggleError, match=r"No GPU time is left this week\. Received: 30\.0 of 30\.0"
    ):
        push_kernel(kernel_folder, Silent())
    assert fake_kernels.pushed == []
    path = kernel_folder / "kernel-metadata.json"
    on_cpu = {"machine_shape": "", "enable_gpu": False}
    write_json(path, read_json(path) | on_cpu)
    assert push_kernel(kernel_folder, Silent()).version == 1
