"""The weekly accelerator time is known before a push, and never needed for one."""

from pathlib import Path

import pytest

from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Silent
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.push import push_kernel
from kagglecxr.remote.kernels.quota import accelerator_quotas
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response
from tests.remote.kernels.fake_kernels import QUOTA, FakeKernels


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
