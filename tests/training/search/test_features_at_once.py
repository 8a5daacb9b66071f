"""Trials that run at once work out the features of a frozen backbone once."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.training import frozen_features
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import make_recipe
from tests.conftest import prepare_demo


class _Trunk:
    output_shape = (None, 3)

    def get_weights(self) -> list[np.ndarray]:
        return [np.ones(3)]


def test_features_that_another_works_out_are_waited_for(
    demo_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_demo(demo_images, tmp_path / "work").prepared
    data = FoldData(prepared, prepared.fold, 0)
    written: list[Path] = []

    def write(kept: object, path: Path, view: str) -> None:
        written.append(path)
        time.sleep(0.2)
        np.save(path, np.zeros((len(data.rows), 3), np.float32))

    monkeypatch.setattr(frozen_features._Kept, "_write", write)
    found: list[np.ndarray] = []

    def look() -> None:
        kept = frozen_features._Kept(data, _Trunk(), make_recipe({}), Silent())
        found.append(kept.features("as_is"))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert [features.shape for features in found] == [(len(data.rows), 3)] * 3
