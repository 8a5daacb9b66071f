"""Writes the kernels of a competition: for each its metadata and one script."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slugify import slugify

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, read_json, write_text
from kagglecxr.remote.kernels.kernel_metadata import (
    GPU_SHAPE,
    KERNEL_METADATA,
    TPU_SHAPE,
    KernelMetadata,
    kernel_metadata,
)
from kagglecxr.remote.kernels.templates import NOT_MEASURED, render_script

Accelerator = Literal["gpu", "tpu", "cpu"]

_SHAPES: Mapping[Accelerator, str] = {"gpu": GPU_SHAPE, "tpu": TPU_SHAPE, "cpu": ""}
_HOURS: Mapping[Accelerator, float] = {"gpu": 12.0, "tpu": 9.0, "cpu": 12.0}
"""After which Kaggle ends a session."""
_LONGEST_NAME = 36
"""Characters of a competition's name in a slug, so that -train-fold-12 goes after it."""


@dataclass(frozen=True)
class ExpectedResult:
    """What a script says of itself at its top.

    Attributes:
        metric: the competition's.
        score: out of fold; None where not measured.
        seconds: that it takes; None where not measured.
    """

    metric: str = ""
    score: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        told = []
        if self.score is not None:
            told.append(f"{self.metric} {self.score:.4f} out of fold".strip())
        if self.seconds is not None:
            told.append(f"{max(1, round(self.seconds / 60))} minutes where it was measured")
        return ", ".join(told) or NOT_MEASURED


@dataclass(frozen=True)
class KernelSettings:
    """What the kernels of a competition are made of.

    Attributes:
        owner: the user's name on Kaggle.
        name: the competition's.
        kind: of its source: competition, dataset, folder or demo.
        slug: the competition's; of a dataset, also of one made of a folder, owner/slug; empty for
            the demo, which is drawn.
        wheels: the dataset of wheels, owner/slug.
        description: the text of the competition's TOML file; empty for a preset.
        runs: the dataset of runs, which `submit` predicts with; empty where there are none yet.
        run_names: which of them; all where empty.
        size: of a prepared image, as `prepare` was given it.
        pipeline: likewise.
        test: likewise.
        folds: likewise.
        seed: of all chance.
        recipe: a recipe's name, or the text of a TOML file.
        changes: entries of it, as key=value.
        space: what `tune` varies: a space's name, or the text of a TOML file.
        trials: of `tune`.
        datasets: more datasets to attach, as weights or merged data, owner/slug.
        models: Kaggle models to attach, owner/model/framework/variation/version.
        accelerator: what `train` and `tune` have, and `submit` unless it is a TPU.
        private: whether others see the kernels.
        internet: whether `train` and `tune` may fetch weights; `submit` never may.
        expected: what each script is known to score and take, by its name.
    """

    owner: str
    name: str
    kind: Literal["competition", "dataset", "folder", "demo"]
    slug: str
    wheels: str
    description: str = ""
    runs: str = ""
    run_names: tuple[str, ...] = ()
    size: int = 224
    pipeline: str = "gray | resize"
    test: float = 0.2
    folds: int = 5
    seed: int = 0
    recipe: str = "default"
    changes: tuple[str, ...] = ()
    space: str = "cpu"
    trials: int = 40
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    accelerator: Accelerator = "gpu"
    private: bool = True
    internet: bool = True
    expected: Mapping[str, ExpectedResult] = field(default_factory=dict)


def build_kernels(folder: Path, settings: KernelSettings) -> list[Path]:
    """Writes `train`, `tune` and, for a competition of Kaggle's, `submit`.

    Args:
        folder: gets one sub-folder a kernel, each with kernel-metadata.json and a script. Another
            script that was there is kept beside it, as NAME.py.old.
        settings: what they are made of.

    Returns:
        The kernels' folders.

    Raises:
        SettingError: a folder holds a kernel of another competition, or a setting breaks a rule of
            Kaggle's; nothing is written then.
    """
    names = ["train", "tune", *(["submit"] if settings.kind == "competition" else [])]
    made = {name: (_metadata(name, settings), _script(name, settings)) for name in names}
    for name, (metadata, _) in made.items():
        _refuse_others(folder / name, metadata)
    for name, (metadata, script) in made.items():
        _back_up_edited(folder / name / metadata.code_file, script)
        # The metadata last: a folder without them is no kernel.
        write_text(folder / name / metadata.code_file, script)
        metadata.write(folder / name)
    return [folder / name for name in names]


def kernel_slug(competition: str, name: str) -> str:
    """The slug of a competition's kernel, in the characters and of a length that Kaggle takes.

    >>> kernel_slug("umons-covid19", "train")
    'umons-covid19-train'
    """
    slug = slugify(competition) or digest(competition)
    if len(slug) > _LONGEST_NAME:
        # Two long names that begin alike stay two.
        slug = f"{slug[: _LONGEST_NAME - 7].rstrip('-')}-{digest(slug)[:6]}"
    return f"{slug}-{name}"


def _metadata(name: str, settings: KernelSettings) -> KernelMetadata:
    slug = kernel_slug(settings.name, name)
    predicts = name == "submit"
    accelerator = "gpu" if predicts and settings.accelerator == "tpu" else settings.accelerator
    is_competition = settings.kind == "competition"
    data = [] if is_competition or not settings.slug else [settings.slug]
    runs = [settings.runs] if predicts and settings.runs else []
    return kernel_metadata(
        {
            "id": f"{settings.owner}/{slug}",
            "title": slug,
            "code_file": f"{name}.py",
            "language": "python",
            "kernel_type": "script",
            "is_private": settings.private,
            "enable_internet": settings.internet and not predicts,
            "machine_shape": _SHAPES[accelerator],
            "enable_gpu": accelerator == "gpu",
            "enable_tpu": accelerator == "tpu",
            "competition_sources": [settings.slug] if is_competition else [],
            "dataset_sources": [*data, settings.wheels, *runs, *settings.datasets],
            "model_sources": list(settings.models),
        }
    )


def _script(name: str, settings: KernelSettings) -> str:
    values: dict[str, object] = {"COMPETITION": settings.description or settings.name}
    if name == "submit":
        values |= {"RUNS": list(settings.run_names), "PIPELINE": settings.pipeline}
    else:
        values |= {
            "SIZE": settings.size,
            "PIPELINE": settings.pipeline,
            "TEST": settings.test,
            "FOLDS": settings.folds,
            "SEED": settings.seed,
            "RECIPE": settings.recipe,
            "CHANGES": list(settings.changes),
            "HOURS": _HOURS[settings.accelerator],
        }
    if name == "tune":
        values |= {"SPACE": settings.space, "TRIALS": settings.trials}
    return render_script(name, values, str(settings.expected.get(name, ExpectedResult())))


def _back_up_edited(path: Path, script: str) -> None:
    """Moves a script aside that is not what is to be written: it may have been edited."""
    if path.is_file() and path.read_text(encoding="utf-8") != script:
        path.replace(path.with_name(f"{path.name}.old"))


def _refuse_others(place: Path, metadata: KernelMetadata) -> None:
    path = place / KERNEL_METADATA
    if not path.exists():
        return
    try:
        theirs = str(read_json(path).get("id", ""))
    except ValueError:
        theirs = "what is no JSON"
    if theirs.partition("/")[2] != metadata.id.partition("/")[2]:
        raise SettingError(
            f"A folder holds another kernel than the one to be written. Received: {path} of "
            f"{theirs}, and not {metadata.id}. Move or remove {place}, or build in another folder."
        )
