"""A push is believed only as far as Kaggle's answer goes."""

from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.errors import CxrError, MissingError, SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.remote.asking import Patience
from kagglecxr.remote.failures import KaggleError
from kagglecxr.remote.kernels.pushing import Pushed, SessionsTakenError, push_kernel
from kagglecxr.remote.kernels.watching import look_at_kernel
from tests.remote.conftest import KEY
from tests.remote.kernels.host import SAVE, STATUS, Host
from tests.remote.stand_in import StandIn, refused


def failure(folder: Path, kind: type[CxrError] = KaggleError) -> str:
    with pytest.raises(kind) as caught:
        push_kernel(folder, Silent())
    return str(caught.value)


def change(folder: Path, **changes: Any) -> None:
    path = folder / "kernel-metadata.json"
    write_json(path, read_json(path) | changes)


def test_what_the_metadata_say_arrives(host: Host, kernel_folder: Path) -> None:
    assert push_kernel(kernel_folder, Silent()) == Pushed(
        "mary/umons-train", 1, "https://www.kaggle.com/code/mary/umons-train"
    )
    (sent,) = host.pushed
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


def test_an_error_in_the_answer_is_one(host: Host, kernel_folder: Path) -> None:
    host.answer = {"error": "Notebook not found"}
    assert "refuses the kernel. Received: Notebook not found" in failure(kernel_folder)


def test_too_many_sessions_are_told_apart(host: Host, kernel_folder: Path) -> None:
    host.at_a_time = 0
    assert "when one has ended" in failure(kernel_folder, SessionsTakenError)


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
    field: str, key: str, host: Host, kernel_folder: Path
) -> None:
    host.answer = {field: ["mary/gone"]}
    message = failure(kernel_folder)
    assert f"{key} mary/gone, in version 1 of mary/umons-train" in message
    assert "push again" in message


def test_another_name_than_the_id_s_is_an_error(host: Host, kernel_folder: Path) -> None:
    host.answer = {"ref": "/code/mary/umons-train-2"}
    assert "another name. Received: umons-train-2" in failure(kernel_folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": "Another title"}, "another-title"),
        ({"id": "INSERT_OWNER/umons-train"}, "placeholder"),
        ({"machine_shape": "NvidiaTeslaP100"}, "NvidiaTeslaT4"),
        ({"dataset_sources": ["datasets/mary/wheels"]}, "datasets/"),
    ],
)
def test_metadata_that_break_a_rule_are_not_sent(
    changes: dict[str, Any], told: str, host: Host, kernel_folder: Path
) -> None:
    change(kernel_folder, **changes)
    assert told in failure(kernel_folder, SettingError)
    assert host.pushed == []


def test_a_script_that_is_not_there_is_not_sent(host: Host, kernel_folder: Path) -> None:
    (kernel_folder / "train.py").unlink()
    assert "not there" in failure(kernel_folder, MissingError)


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
    status: int, wrong: str, host: Host, kernel_folder: Path, stand_in: StandIn
) -> None:
    for call in (SAVE, STATUS):
        stand_in.on(call, refused(status, f"said {KEY}"))
    for message in (failure(kernel_folder), status_failure("mary/umons-train")):
        assert wrong in message
        assert KEY not in message
        assert "\n" not in message


def status_failure(kernel: str) -> str:
    with pytest.raises(KaggleError) as caught:
        look_at_kernel(kernel, Silent())
    return str(caught.value)


def test_too_many_requests_are_waited_out(
    host: Host, kernel_folder: Path, stand_in: StandIn
) -> None:
    stand_in.on(SAVE, refused(429), host._save)
    slept: list[float] = []
    pushed = push_kernel(kernel_folder, Silent(), Patience(sleep=slept.append))
    assert (pushed.version, slept) == (1, [15.0])


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "COMPLETE", "CANCEL_ACKNOWLEDGED"])
def test_the_status_is_kaggle_s(status: str, host: Host) -> None:
    host.status["umons-train"] = status
    state = look_at_kernel("mary/umons-train", Silent())
    assert str(state) == status.lower()
    assert state.has_ended is (status in ("COMPLETE", "CANCEL_ACKNOWLEDGED"))


def test_the_reason_of_an_error_is_told(host: Host) -> None:
    host.status["umons-train"], host.failure = "ERROR", "Your notebook tried to allocate too much"
    state = look_at_kernel("mary/umons-train", Silent())
    assert str(state) == "error: Your notebook tried to allocate too much"


def test_a_kernel_that_was_never_pushed_is_told(host: Host) -> None:
    assert "kagglecxr.kernel push" in status_failure("mary/nothing")
