"""The verb `doctor` as a user reads it."""

import pytest

from kagglecxr.doctor import doctor
from tests.remote.conftest import fake_kaggle, own_client, strayed  # noqa: F401 fixtures
from tests.remote.fake_kaggle import FakeKaggle, error_response, json_response
from tests.remote.kernels.fake_kernels import QUOTA


def test_the_accelerator_quota_is_shown_where_kaggle_tells_it(
    fake_kaggle: FakeKaggle,  # noqa: F811 the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    quota = {"timeUsed": "108000s", "totalTimeAllowed": "108000s"}
    fake_kaggle.on(QUOTA, json_response({"gpuQuota": quota}), error_response(500))
    doctor()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Kaggle GPU" in line]
    assert line.startswith("!   ")
    assert line.endswith("30.0 of 30.0 hours used")
    doctor()
    assert "Kaggle GPU" not in capsys.readouterr().out
