"""kernel-metadata.json: what the client reads of a folder that becomes a kernel."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)
from slugify import slugify

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.registry import nearest

KERNEL_METADATA = "kernel-metadata.json"
MIN_SLUG, MAX_SLUG = 5, 50
"""Characters of a slug, and of a title."""
GPU_SHAPE, TPU_SHAPE = "NvidiaTeslaT4", "TpuV5E8"
"""Kaggle's names of its accelerators: two T4, and a TPU v5e-8."""
_SHAPES = ("", GPU_SHAPE, TPU_SHAPE, "NvidiaL4x4")
_RETIRED = {
    "NvidiaTeslaP100": GPU_SHAPE,
    "TpuV38": TPU_SHAPE,
    "Tpu1VmV38": TPU_SHAPE,
    "TpuV232": "",
    "TpuV2256": "",
}
_PLACEHOLDERS = ("owner", "user", "username", "your-username", "your_username", "yourusername")
_OWNER, _SLUG, _VERSION = r"[A-Za-z0-9_-]+", r"[a-z0-9]+(?:-[a-z0-9]+)*", r"[1-9]\d{0,8}"


def _filled_in(text: str) -> str:
    if "INSERT_" in text or text.partition("/")[0].lower() in _PLACEHOLDERS:
        raise ValueError("replace the placeholder")
    return text


def _of_length(text: str) -> str:
    if not MIN_SLUG <= len(text) <= MAX_SLUG:
        raise ValueError(f"give it {MIN_SLUG} to {MAX_SLUG} characters")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(f"{_OWNER}/{_SLUG}", text):
        raise ValueError("write owner/slug, the slug in lower-case letters, digits and hyphens")
    if not MIN_SLUG <= len(text.partition("/")[2]) <= MAX_SLUG:
        raise ValueError(f"give the slug {MIN_SLUG} to {MAX_SLUG} characters")
    return text


def _form(form: str, *prefixes: str, told: str) -> Callable[[str], str]:
    """Refuses a source of another form, or with what Kaggle's addresses have before it."""

    def checked(source: str) -> str:
        for prefix in prefixes:
            if source.startswith(prefix):
                raise ValueError(f"leave {prefix!r} out")
        if not re.fullmatch(form, source):
            raise ValueError(f"write {told}")
        return source

    return checked


def _shape(shape: str) -> str:
    if shape in _RETIRED:
        instead = _RETIRED[shape]
        told = f"write {instead!r}, which has" if instead else "leave it out, since a CPU has"
        raise ValueError(f"{told} replaced it")
    if shape not in _SHAPES:
        raise ValueError(f"write one that Kaggle has, as {', '.join(nearest(shape, _SHAPES[1:]))}")
    return shape


def _switch(value: object) -> object:
    # The client takes these words too, in any case, and raises at others.
    words = {"true": True, "false": False}
    return words.get(value.lower(), value) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_filled_in)]
Switch = Annotated[bool, BeforeValidator(_switch)]
DatasetRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{_OWNER}/{_SLUG}(/{_VERSION})?", "datasets/", "d/",
              told="owner/slug, or owner/slug/version")
    ),
]  # fmt: skip
KernelRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{_OWNER}/(?=[^/]{{{MIN_SLUG}}}){_SLUG}(/{_VERSION})?", "code/", "kernels/",
              told=f"owner/slug, the slug of at least {MIN_SLUG} characters")
    ),
]  # fmt: skip
CompetitionRef = Annotated[
    Text, AfterValidator(_form(_SLUG, "c/", "competitions/", told="the competition's slug alone"))
]
ModelRef = Annotated[
    Text,
    AfterValidator(
        _form(rf"{_OWNER}/[\w.-]+/\w+/[\w.-]+/{_VERSION}", "models/", "kaggle://",
              told="owner/model/framework/variation/version")
    ),
]  # fmt: skip


class KernelMetadata(BaseModel):
    """What Kaggle is told of a kernel: a script in Python.

    Attributes:
        id: `owner/slug`.
        title: shown above it; Kaggle makes the slug of it.
        code_file: the one file that travels, in the metadata's folder.
        language: always Python.
        kernel_type: always a script.
        enable_internet: has no default here, since Kaggle's is on and its documentation says off.
        is_private: whether others see it.
        machine_shape: the accelerator; empty for a CPU.
        enable_gpu: whether that is a GPU, for clients and servers that know no shapes.
        enable_tpu: whether it is a TPU.
        dataset_sources: `owner/slug` or `owner/slug/version`.
        competition_sources: bare slugs.
        kernel_sources: kernels whose output is read.
        model_sources: `owner/model/framework/variation/version`.
        id_no: Kaggle's own number, which it prefers to the id.
        keywords: Kaggle's tags.
        docker_image: one of Kaggle's images; the newest where empty.
        docker_image_pinning_type: "original" or "latest".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[Text, AfterValidator(_id)]
    title: Annotated[Text, AfterValidator(_of_length)]
    code_file: Annotated[Text, AfterValidator(_form(r"[^/\\]+", told="a file's name alone"))]
    language: Literal["python"]
    kernel_type: Literal["script"]
    enable_internet: Switch
    is_private: Switch = True
    machine_shape: Annotated[str, AfterValidator(_shape)] = ""
    enable_gpu: Switch = False
    enable_tpu: Switch = False
    dataset_sources: list[DatasetRef] = []
    competition_sources: list[CompetitionRef] = []
    kernel_sources: list[KernelRef] = []
    model_sources: list[ModelRef] = []
    id_no: int | None = None
    keywords: list[str] = []
    docker_image: str = ""
    docker_image_pinning_type: Literal["", "original", "latest"] = ""

    @model_validator(mode="after")
    def _parts_agree(self) -> "KernelMetadata":
        slug = self.id.partition("/")[2]
        if slugify(self.title) != slug:
            raise ValueError(
                f"title {self.title!r} gives the slug {slugify(self.title)!r}, id has {slug!r}; "
                "make them one"
            )
        # Kaggle chooses a machine of its own where only these two are set.
        for switch, is_on in (("gpu", self.enable_gpu), ("tpu", self.enable_tpu)):
            if is_on and switch not in _accelerator(self.machine_shape):
                raise ValueError(
                    f"enable_{switch} is true and machine_shape {self.machine_shape!r}; write "
                    f"{GPU_SHAPE if switch == 'gpu' else TPU_SHAPE!r} there, or false"
                )
        return self

    def write(self, folder: Path) -> Path:
        """Writes it into the kernel's folder, whole or not at all."""
        path = folder / KERNEL_METADATA
        values = self.model_dump(mode="json", exclude_none=True)
        # The client hands an empty text on as a value.
        write_json(path, {key: value for key, value in values.items() if value != ""})
        return path


def kernel_metadata(values: dict[str, Any], where: str = "") -> KernelMetadata:
    """Values under the keys of the file, checked.

    Args:
        values: as they stand in the file.
        where: what they were read from, for an error.

    Raises:
        SettingError: one of them breaks a rule of Kaggle's.
    """
    try:
        return KernelMetadata.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        rule = first["msg"].removeprefix("Value error, ")
        received = f"{key} {first['input']!r}" if key else "entries that do not go together"
        if first["type"] == "missing":
            received, rule = f"no {key}", "write it"
        if first["type"] == "extra_forbidden":
            known = nearest(key, KernelMetadata.model_fields)
            rule = f"the nearest entries are {', '.join(known)}, others Kaggle does not read"
        raise SettingError(
            f"A kernel's metadata break a rule of Kaggle's. Received: {received}"
            f"{where and f' in {where}'}. Mend it: {rule}."
        ) from error


def read_kernel_metadata(folder: Path) -> KernelMetadata:
    """Reads the file of a kernel's folder.

    Raises:
        MissingError: there is none, or the script that it names is not there.
        SettingError: it is not JSON, or breaks a rule of Kaggle's.
    """
    path = folder / KERNEL_METADATA
    try:
        values = read_json(path)
    except FileNotFoundError as error:
        raise MissingError(
            f"A kernel's folder is without its metadata. Looked for: {path}. Run: python -m "
            "kagglecxr.kernel build"
        ) from error
    except ValueError as error:
        raise SettingError(
            f"A kernel's metadata are not JSON. Received: {path} ({error}). Mend that line."
        ) from error
    metadata = kernel_metadata(values, str(path))
    if not (folder / metadata.code_file).is_file():
        raise MissingError(
            f"A kernel's metadata name a script that is not there. Looked for: "
            f"{folder / metadata.code_file}. Mend code_file in {path}, or run kernel build again."
        )
    return metadata


def _accelerator(shape: str) -> str:
    return "tpu" if shape.startswith("Tpu") else "gpu" if shape else ""
