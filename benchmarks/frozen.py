"""How much faster the head of a frozen MobileNet learns from kept features than by plain `fit`.

Run: python -m benchmarks.frozen path/to/cxr4 path/to/weights
"""

import sys
import tempfile
from pathlib import Path

import keras

from benchmarks.timing import seconds
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from kagglecxr.models.runtime import seed_everything
from kagglecxr.training.endless_batches import endless_batches
from kagglecxr.training.features.frozen_features import frozen_features
from kagglecxr.training.fold_data import FitInputs, FoldData
from kagglecxr.training.lr_schedule import RateSchedule
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.stage import build_model, compile_model
from kagglecxr.training.tasks import make_task

SIZE, EPOCHS = 128, 20
STILL = [
    f"augmentation.{name}=0" for name in ("rotation", "zoom", "shift", "contrast", "brightness")
]
RECIPE = ["model=mobilenet", "trainable=head", f"epochs={EPOCHS}", "learning_rate=3e-3", *STILL]


def main() -> None:
    """Prints the seconds of both, passes through the backbone included, and their accuracies."""
    images, weights = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        request = PrepareOptions(None, SIZE, "gray | resize", 0.2, 5, skip_broken=False, seed=0)
        prepared = prepare_competition(
            load_competition(images), Workspace.of("cxr", Path(folder)), request, Silent()
        )
        task, recipe = make_task(prepared), make_recipe({}, RECIPE)
        data = FoldData(task, prepared.fold, 0)
        accuracies = []

        def on_features() -> None:
            model = _model()
            inputs = frozen_features(data, model, recipe, Silent()).fit_inputs(recipe, 0)
            # One iterator for all epochs, as every stage of a fold is trained.
            batches = endless_batches(inputs.batches.batch_at)
            _fit(inputs, inputs.model, batches, steps_per_epoch=len(inputs.batches))

        def plainly() -> None:
            model = _model()
            batches = data.training_batches(recipe, 0)
            _fit(data.fit_inputs(model, recipe, 0), model, batches)

        def _model() -> keras.Model:
            seed_everything(0)
            return build_model(task, recipe, [Path(weights) / "mobilenet_1_0_224_tf_no_top.h5"])

        def _fit(
            inputs: FitInputs, model: keras.Model, batches: keras.utils.PyDataset, **how: int
        ) -> None:
            compile_model(model, task, recipe, len(inputs.batches))
            history = model.fit(
                batches,
                **how,
                validation_data=endless_batches(inputs.validation),
                validation_steps=inputs.validation_steps,
                epochs=EPOCHS,
                shuffle=False,
                verbose=0,
                callbacks=[RateSchedule(recipe, len(inputs.batches), 0, list)],
            )
            accuracies.append(history.history["val_accuracy"][-1])

        ours, plain = seconds(on_features), seconds(plainly)
    print(
        f"{EPOCHS} epochs of a frozen MobileNet: {ours:.1f} s on features (accuracy "
        f"{accuracies[0]:.4f}), {plain:.1f} s by fit ({accuracies[1]:.4f}), ratio "
        f"{plain / ours:.1f} (wanted: 10, within 0.01)"
    )


if __name__ == "__main__":
    main()
