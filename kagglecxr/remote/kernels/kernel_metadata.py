"""kernel-metadata.json: what the Kaggle client reads of a folder that becomes a kernel."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from slugify import slugify

from kagglecxr.core.registry import nearest
from kagglecxr.remote.metadata import OWNER, SLUG, KaggleMetadata, Text, length, owner_slug

MIN_SLUG, MAX_SLUG = 5, 50
"""Characters of a slug, and of a title."""
GPU_SHAPE, TPU_SHAPE = "NvidiaTeslaT4", "TpuV5E8"
"""Kaggle's names of its accelerators: GPU T4 x2, and TPU v5e-8."""
_SHAPES = ("", GPU_SHAPE, TPU_SHAPE, "NvidiaL4x4")
_RETIRED = {
    "NvidiaTeslaP100": GPU_SHAPE, "TpuV38": TPU_SHAPE, "Tpu1VmV38": TPU_SHAPE, "TpuV232": "",
    "TpuV2256": "",
}  # fmt: skip
_VERSION = r"[1-9]\d{0,8}"


def _form(pattern: str, expected: str, *prefixes: str) -> AfterValidator:
    """Validates a text's form, and refuses the prefixes of Kaggle's web addresses by name."""

    def check(text: str) -> str:
        for prefix in prefixes:
            if text.startswith(prefix):
                raise ValueError(f"leave {prefix!r} out")
        if not re.fullmatch(pattern, text):
            raise ValueError(f"write {expected}")
        return text

    return AfterValidator(check)


def _shape(shape: str) -> str:
    if shape in _RETIRED:
        instead = _RETIRED[shape]
        advice = f"write {instead!r}, which has" if instead else "leave it out, since a CPU has"
        raise ValueError(f"{advice} replaced it")
    if shape not in _SHAPES:
        raise ValueError(f"write one that Kaggle has, as {', '.join(nearest(shape, _SHAPES[1:]))}")
    return shape


def _switch(value: object) -> object:
    # The client takes these words too, in any case, and raises at others.
    words = {"true": True, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch)]
FileName = Annotated[Text, _form(r"[^/\\]+", "a file's name alone")]
DatasetRef = Annotated[
    Text,
    _form(rf"{OWNER}/{SLUG}(/{_VERSION})?", "owner/slug, or owner/slug/version", "datasets/", "d/"),
]
KernelRef = Annotated[
    Text,
    _form(
        rf"{OWNER}/(?=[^/]{{{MIN_SLUG}}}){SLUG}(/{_VERSION})?",
        f"owner/slug, the slug of at least {MIN_SLUG} characters",
        "code/",
        "kernels/",
    ),
]
CompetitionRef = Annotated[Text, _form(SLUG, "the competition's slug alone", "c/", "competitions/")]
ModelRef = Annotated[
    Text,
    _form(
        rf"{OWNER}/[\w.-]+/\w+/[\w.-]+/{_VERSION}",
        "owner/model/framework/variation/version",
        "models/",
        "kaggle://",
    ),
]


class KernelMetadata(KaggleMetadata):
    """The metadata of a kernel: one of ours, a Python script, or a user's own.

    Attributes:
        id: `owner/slug`.
        title: Kaggle makes the slug of it.
        code_file: the one file that is sent, in the metadata's folder.
        enable_internet: has no default here, since Kaggle's is on and its documentation says off.
        machine_shape: the accelerator; empty for a CPU.
        enable_gpu: whether that is a GPU, for clients and servers that know no shapes.
        id_no: Kaggle's own number, which it prefers to the id.
        docker_image: one of Kaggle's images; defaults to the newest.
    """

    KIND: ClassVar[str] = "kernel"
    FILE: ClassVar[str] = "kernel-metadata.json"

    id: Annotated[Text, owner_slug(MIN_SLUG, MAX_SLUG)]
    title: Annotated[Text, length(MIN_SLUG, MAX_SLUG)]
    code_file: FileName
    language: Literal["python", "r", "rmarkdown"]
    kernel_type: Literal["script", "notebook"]
    enable_internet: Switch
    is_private: Switch = True
    machine_shape: Annotated[str, AfterValidator(_shape)] = ""
    enable_gpu: Switch = False
    enable_tpu: Switch = False
    dataset_sources: list[DatasetRef] = Field(default_factory=list)
    competition_sources: list[CompetitionRef] = Field(default_factory=list)
    kernel_sources: list[KernelRef] = Field(default_factory=list)
    model_sources: list[ModelRef] = Field(default_factory=list)
    id_no: int | None = None
    keywords: list[str] = Field(default_factory=list)
    docker_image: str = ""
    docker_image_pinning_type: Literal["", "original", "latest"] = ""

    @property
    def slug(self) -> str:
        """The second part of the id."""
        return self.id.partition("/")[2]

    @property
    def accelerator(self) -> Literal["gpu", "tpu", "cpu"]:
        """What the machine computes on."""
        if self.machine_shape.startswith("Tpu") or self.enable_tpu:
            return "tpu"
        return "gpu" if self.machine_shape or self.enable_gpu else "cpu"

    def warnings(self) -> list[str]:
        """What Kaggle takes, but decides otherwise than its owner may expect."""
        if self.machine_shape or self.accelerator == "cpu":
            return []
        shape = TPU_SHAPE if self.enable_tpu else GPU_SHAPE
        return [
            f"Kaggle chooses the {self.accelerator.upper()}: enable_{self.accelerator} is true, "
            f"and there is no machine_shape. Write {shape!r} there for that one."
        ]

    def named_files(self) -> list[str]:
        """The script."""
        return [self.code_file]

    @model_validator(mode="after")
    def _parts_agree(self) -> "KernelMetadata":
        if slugify(self.title) != self.slug:
            raise ValueError(
                f"title {self.title!r} gives the slug {slugify(self.title)!r}, id has "
                f"{self.slug!r}; make them equal"
            )
        if self.machine_shape:
            for kind, is_on, shape in (
                ("gpu", self.enable_gpu, GPU_SHAPE),
                ("tpu", self.enable_tpu, TPU_SHAPE),
            ):
                if is_on and (kind == "tpu") != self.machine_shape.startswith("Tpu"):
                    raise ValueError(
                        f"enable_{kind} is true and machine_shape {self.machine_shape!r}; write "
                        f"{shape!r} there, or false"
                    )
        return self
