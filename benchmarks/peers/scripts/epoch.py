"""Epochs of training by one loop: FILES WAY; the last line is JSON."""

import json
import sys
import time
from pathlib import Path

import numpy as np

SIZE, BATCH, STEPS, EPOCHS = 128, 32, 20, 4


def ours(root: Path) -> list[float]:
    """The package's recipe, cache and loop."""
    import tempfile

    from kagglecxr.core.progress import Silent
    from kagglecxr.core.workspace import Workspace
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepare import PrepareOptions, prepare_competition
    from kagglecxr.training.fold import FoldOptions, train_fold
    from kagglecxr.training.recipe import load_recipe
    from kagglecxr.training.run_spec import RunSpec
    from kagglecxr.training.tasks import make_task

    still = [f"augmentation.{n}=0" for n in ("rotation", "zoom", "shift", "contrast", "brightness")]
    recipe = load_recipe("cpu", ["weights=", f"steps={STEPS}", f"epochs={EPOCHS}", *still])
    recipe = recipe.model_copy(update={"batch_norm": None})
    with tempfile.TemporaryDirectory() as folder:
        competition = load_competition(str(root))
        workspace = Workspace(Path(folder), competition.name)
        options = PrepareOptions(None, SIZE, "gray | resize", 0.0, 5, skip_broken=False, seed=0)
        prepared = prepare_competition(competition, workspace, options, Silent())
        spec = RunSpec(make_task(prepared), workspace, recipe, prepared.fold, 0, Path(folder))
        train_fold(spec, 0, Silent(), FoldOptions(learn_novelty=False))
        history = np.genfromtxt(
            spec.fold_folder(0) / "history.csv", delimiter=",", names=True
        )  # fmt: skip
    return [float(each) for each in history["seconds"]]


def keras(root: Path) -> list[float]:
    """Keras' own tutorial: image_dataset_from_directory, layers that flip, fit."""
    import keras

    batches = keras.utils.image_dataset_from_directory(
        root, image_size=(SIZE, SIZE), batch_size=BATCH, seed=0, verbose=False,
        color_mode="rgb", label_mode="categorical",
    ).repeat().prefetch(2)  # fmt: skip
    image = keras.Input((SIZE, SIZE, 3))
    flipped = keras.layers.RandomFlip("horizontal")(image)
    base = keras.applications.MobileNet(
        weights=None, include_top=False, input_tensor=keras.layers.Rescaling(1 / 127.5, -1)(flipped)
    )
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(pooled))
    model.compile(keras.optimizers.AdamW(5e-4), "categorical_crossentropy", metrics=["accuracy"])
    times = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        model.fit(batches, steps_per_epoch=STEPS, epochs=1, verbose=0)
        times.append(time.perf_counter() - began)
    return times


def timm(root: Path) -> list[float]:
    """PyTorch's loop, as timm's documentation writes it."""
    import cv2
    import timm
    import torch
    from torch.utils.data import DataLoader, Dataset, RandomSampler

    paths = sorted(root.glob("*/*.png"))
    names = sorted({path.parent.name for path in paths})

    class Files(Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
            image = cv2.resize(np.asarray(cv2.imread(str(paths[number]))), (SIZE, SIZE))
            image = image[:, ::-1] if np.random.random() < 0.5 else image
            scaled = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / 127.5 - 1
            return scaled, names.index(paths[number].parent.name)

    model = timm.create_model("mobilenetv1_100", pretrained=False, num_classes=4).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    files, times = Files(), []
    loader = DataLoader(
        files, BATCH, sampler=RandomSampler(files, replacement=True, num_samples=BATCH * STEPS),
        num_workers=2, persistent_workers=True,
    )  # fmt: skip
    for _ in range(EPOCHS):
        began = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    """Prints the seconds of later epochs, and of the first one."""
    root, way = Path(sys.argv[1]), sys.argv[-1]
    times = globals()[way](root)
    print(json.dumps({"seconds an epoch": float(np.median(times[1:])), "the first": times[0]}))


if __name__ == "__main__":
    main()
