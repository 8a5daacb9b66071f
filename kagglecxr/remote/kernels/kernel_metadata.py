"""kernel-metadata.json: what the Kaggle client reads of a folder that becomes a kernel."""

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from slugify import slugify

from kagglecxr.core.registry import nearest
from kagglecxr.remote.metadata import (
    OWNER,
    SLUG,
    KaggleMetadata,
    length,
    no_placeholder,
    owner_slug,
)

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


def _form(pattern: str, *prefixes: str, expected: str) -> Callable[[str], str]:
    """A validator of a text's form that names the prefixes of Kaggle's web addresses."""

    def check(text: str) -> str:
        for prefix in prefixes:
            if text.startswith(prefix):
                raise ValueError(f"leave {prefix!r} out")
        if not re.fullmatch(pattern, text):
            raise ValueError(f"write {expected}")
        return text

    return check


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


Text = Annotated[str, AfterValidator(no_placeholder)]
Switch = Annotated[bool, BeforeValidator(_switch)]
DatasetRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{OWNER}/{SLUG}(/{_VERSION})?", "datasets/", "d/",
              expected="owner/slug, or owner/slug/version")
    ),
]  # fmt: skip
KernelRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{OWNER}/(?=[^/]{{{MIN_SLUG}}}){SLUG}(/{_VERSION})?", "code/", "kernels/",
              expected=f"owner/slug, the slug of at least {MIN_SLUG} characters")
    ),
]  # fmt: skip
CompetitionRef = Annotated[
    Text,
    AfterValidator(
        _form(SLUG, "c/", "competitions/", expected="the competition's slug alone")
    ),
]  # fmt: skip
ModelRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{OWNER}/[\w.-]+/\w+/[\w.-]+/{_VERSION}", "models/", "kaggle://",
              expected="owner/model/framework/variation/version")
    ),
]  # fmt: skip


class KernelMetadata(KaggleMetadata):
    """The metadata of a kernel that is a Python script.

    Attributes:
        id: `owner/slug`.
        title: shown above the kernel; Kaggle makes the slug of it.
        code_file: the one file that is sent, in the metadata's folder.
        language: always Python.
        kernel_type: always a script.
        enable_internet: has no default here, since Kaggle's is on and its documentation says off.
        is_private: whether only its owner sees it.
        machine_shape: the accelerator; empty for a CPU.
        enable_gpu: whether that is a GPU, for clients and servers that know no shapes.
        enable_tpu: whether it is a TPU.
        dataset_sources: `owner/slug` or `owner/slug/version`.
        competition_sources: slugs.
        kernel_sources: kernels whose output is read.
        model_sources: `owner/model/framework/variation/version`.
        id_no: Kaggle's own number, which it prefers to the id.
        keywords: Kaggle's tags.
        docker_image: one of Kaggle's images; defaults to the newest.
        docker_image_pinning_type: "original" or "latest".
    """

    KIND: ClassVar[str] = "kernel"
    FILE: ClassVar[str] = "kernel-metadata.json"

    id: Annotated[Text, AfterValidator(owner_slug(MIN_SLUG, MAX_SLUG))]
    title: Annotated[Text, AfterValidator(length(MIN_SLUG, MAX_SLUG))]
    code_file: Annotated[Text, AfterValidator(_form(r"[^/\\]+", expected="a file's name alone"))]
    language: Literal["python"]
    kernel_type: Literal["script"]
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
        shape = self.machine_shape
        return "tpu" if shape.startswith("Tpu") else "gpu" if shape else "cpu"

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
        # Kaggle chooses a machine of its own where only these two are set.
        for switch, is_on, shape in (
            ("gpu", self.enable_gpu, GPU_SHAPE),
            ("tpu", self.enable_tpu, TPU_SHAPE),
        ):
            if is_on and self.accelerator != switch:
                raise ValueError(
                    f"enable_{switch} is true and machine_shape {self.machine_shape!r}; write "
                    f"{shape!r} there, or false"
                )
        return self
