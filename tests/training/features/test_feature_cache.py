"""Trainings that run at once compute the features of a frozen backbone once."""

import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.training.features.feature_cache import FeatureCache
from tests.conftest import prepare_demo


def test_features_that_another_process_computes_are_waited_for(
    demo_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_demo(demo_images, tmp_path / "work").prepared
    image = keras.Input((None, None, 1))
    rows, trunk = prepared.index.rows("train"), keras.Model(image, image)
    written: list[Path] = []

    def write(kept: object, path: Path, view: str) -> None:
        written.append(path)
        time.sleep(0.2)
        np.save(path, np.zeros((len(rows), 3), np.float32))

    monkeypatch.setattr(FeatureCache, "_write", write)
    found: list[np.ndarray] = []

    def look() -> None:
        kept = FeatureCache(prepared.cache, rows, trunk, "any", Silent())
        found.append(kept.of("identity"))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert [features.shape for features in found] == [(len(rows), 3)] * 3
