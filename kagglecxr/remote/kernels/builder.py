"""Writes the kernels of a competition: for each its metadata and one script."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from slugify import slugify

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, read_json, write_text
from kagglecxr.remote.kernels.kernel_metadata import GPU_SHAPE, TPU_SHAPE, KernelMetadata
from kagglecxr.remote.kernels.kernel_options import Accelerator, KernelOptions
from kagglecxr.remote.kernels.templates import NOT_MEASURED, render_script

_SHAPES: Mapping[Accelerator, str] = {"gpu": GPU_SHAPE, "tpu": TPU_SHAPE, "cpu": ""}
_NAMES = ("train", "tune", "submit")
_HOURS: Mapping[Accelerator, float] = {"gpu": 12.0, "tpu": 9.0, "cpu": 12.0}
"""After which Kaggle ends a session."""
_MAX_NAME = 36
"""Characters of a competition's name in a slug, so that -train-fold-12 goes after it."""


@dataclass(frozen=True)
class ExpectedResult:
    """The out-of-fold score and the duration in a script's docstring; None if not measured."""

    metric: str = ""
    score: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        parts = []
        if self.score is not None:
            parts.append(f"{self.metric} {self.score:.4f} out of fold".strip())
        if self.seconds is not None:
            parts.append(f"{max(1, round(self.seconds / 60))} minutes where it was measured")
        return ", ".join(parts) or NOT_MEASURED


@dataclass(frozen=True)
class PrepareSettings:
    """How the images are prepared: the options of `prepare`, with its defaults."""

    size: int = 224
    pipeline: str = "gray | resize"
    test: float = 0.2
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class KernelSettings:
    """The settings of a competition's kernels.

    Attributes:
        owner: the user's name on Kaggle.
        name: the competition's name.
        slug: the competition's; of a dataset, also of one made of a folder, owner/slug; empty for
            the demo, which is drawn.
        wheels: the dataset of wheels, owner/slug.
        description: the text of the competition's TOML file; empty for a preset.
        runs: the dataset of runs, with which `submit` predicts; empty while there is none.
        run_names: which of them; defaults to all.
        options: the user's choices; recipe and space are names or the texts of TOML files. The
            accelerator is that of `train` and `tune`, and, if it is no TPU, of `submit`.
        expected: what each script is known to score and take, by the script's name.
    """

    owner: str
    name: str
    kind: Literal["competition", "dataset", "folder", "demo"]
    slug: str
    wheels: str
    description: str = ""
    runs: str = ""
    run_names: tuple[str, ...] = ()
    prepare: PrepareSettings = PrepareSettings()
    options: KernelOptions = KernelOptions()
    expected: Mapping[str, ExpectedResult] = field(default_factory=dict)


def build_kernels(folder: Path, settings: KernelSettings) -> list[Path]:
    """Writes the kernels `train`, `tune` and `submit`.

    Each gets a sub-folder of `folder` with kernel-metadata.json and a script. Of a dataset, which
    has no leaderboard, `submit` scores the rehearsal test set. A different script that was there is
    kept as NAME.py.old.

    Raises:
        SettingError: a folder holds a kernel of another competition, or a setting breaks a rule of
            Kaggle's; nothing is written then.
    """
    made = {name: (_metadata(name, settings), _script(name, settings)) for name in _NAMES}
    for name, (metadata, _) in made.items():
        _check_same_kernel(folder / name, metadata)
    for name, (metadata, script) in made.items():
        path = folder / name / metadata.code_file
        if path.is_file() and path.read_text(encoding="utf-8") != script:
            # It may have been edited.
            path.replace(path.with_name(f"{path.name}.old"))
        # The metadata last: a folder without them is no kernel.
        write_text(path, script)
        metadata.write(folder / name)
    return [folder / name for name in _NAMES]


def kernel_slug(competition: str, name: str) -> str:
    """The slug of a competition's kernel or dataset, within Kaggle's characters and length.

    >>> kernel_slug("umons-covid19", "train")
    'umons-covid19-train'
    """
    slug = slugify(competition) or digest(competition)
    if len(slug) > _MAX_NAME:
        # Two long names that begin alike have different slugs.
        slug = f"{slug[: _MAX_NAME - 7].rstrip('-')}-{digest(slug)[:6]}"
    return f"{slug}-{name}"


def _metadata(name: str, settings: KernelSettings) -> KernelMetadata:
    slug, options = kernel_slug(settings.name, name), settings.options
    predicts = name == "submit"
    accelerator = "gpu" if predicts and options.accelerator == "tpu" else options.accelerator
    is_competition = settings.kind == "competition"
    data = [] if is_competition or not settings.slug else [settings.slug]
    runs = [settings.runs] if predicts and settings.runs else []
    return KernelMetadata.parse(
        {
            "id": f"{settings.owner}/{slug}",
            "title": slug,
            "code_file": f"{name}.py",
            "language": "python",
            "kernel_type": "script",
            "is_private": not options.public,
            "enable_internet": options.internet and not predicts,
            "machine_shape": _SHAPES[accelerator],
            "enable_gpu": accelerator == "gpu",
            "enable_tpu": accelerator == "tpu",
            "competition_sources": [settings.slug] if is_competition else [],
            "dataset_sources": [*data, settings.wheels, *runs, *options.attach],
        }
    )


def _script(name: str, settings: KernelSettings) -> str:
    prepare, options = settings.prepare, settings.options
    expected = str(settings.expected.get(name, ExpectedResult()))
    constants: dict[str, object] = {"COMPETITION": settings.description or settings.name}
    if name == "submit":
        constants["RUNS"] = list(settings.run_names)
    if name == "submit" and settings.kind == "competition":
        constants["PIPELINE"] = prepare.pipeline
        return render_script(name, constants, expected)
    constants |= {key.upper(): value for key, value in asdict(prepare).items()}
    if name == "submit":
        return render_script("rehearse", constants, expected)
    constants |= {"RECIPE": options.recipe, "CHANGES": list(options.changes)}
    constants["HOURS"] = _HOURS[options.accelerator]
    if name == "tune":
        constants |= {"SPACE": options.space, "TRIALS": options.trials}
    return render_script(name, constants, expected)


def _check_same_kernel(folder: Path, metadata: KernelMetadata) -> None:
    path = folder / KernelMetadata.FILE
    if not path.exists():
        return
    try:
        found = str(read_json(path).get("id", ""))
    except ValueError:
        found = "no JSON"
    if found.partition("/")[2] != metadata.slug:
        raise SettingError(
            f"A folder holds another kernel than the one to be written. Received: {path} with the "
            f"id {found}, not {metadata.id}. Move or remove {folder}, or build in another folder."
        )
