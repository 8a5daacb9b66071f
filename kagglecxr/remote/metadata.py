"""The rules and the file handling that the metadata of Kaggle's datasets and kernels share."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.registry import nearest

OWNER, SLUG = r"[A-Za-z0-9_-]+", r"[a-z0-9]+(?:-[a-z0-9]+)*"
_EXAMPLE_OWNERS = ("owner", "user", "username", "your-username", "your_username", "yourusername")


def _no_placeholder(text: str) -> str:
    if "INSERT_" in text or text.partition("/")[0].lower() in _EXAMPLE_OWNERS:
        raise ValueError("replace the placeholder")
    return text


Text = Annotated[str, AfterValidator(_no_placeholder)]
"""A text without the placeholders that the Kaggle client and its documentation write."""


def length(low: int, high: int) -> AfterValidator:
    """Validates a text's length."""

    def check(text: str) -> str:
        if not low <= len(text) <= high:
            raise ValueError(f"give it {low} to {high} characters")
        return text

    return AfterValidator(check)


def owner_slug(low: int, high: int) -> AfterValidator:
    """Validates the form `owner/slug` and the slug's length."""

    def check(text: str) -> str:
        if not re.fullmatch(f"{OWNER}/{SLUG}", text):
            raise ValueError("write owner/slug, the slug in lower-case letters, digits and hyphens")
        if not low <= len(text.partition("/")[2]) <= high:
            raise ValueError(f"give the slug {low} to {high} characters")
        return text

    return AfterValidator(check)


class KaggleMetadata(BaseModel):
    """Metadata of the kind KIND that Kaggle's client reads from FILE in the folder it uploads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    KIND: ClassVar[str]
    FILE: ClassVar[str]

    @classmethod
    def parse(cls, values: dict[str, Any], where: str = "") -> Self:
        """Checks the values of the file; `where` is its path, for the error message.

        Raises:
            SettingError: one of them breaks a rule of Kaggle's.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            rule = first["msg"].removeprefix("Value error, ")
            received = f"{key} {first['input']!r}" if key else "entries that do not go together"
            if first["type"] == "missing":
                received, rule = f"no {key}", "this entry is required"
            elif first["type"] == "extra_forbidden":
                known = ", ".join(nearest(key, cls.model_fields))
                rule = f"this entry is not permitted; the nearest that are: {known}"
            raise SettingError(
                f"The {cls.KIND} metadata break a rule of Kaggle's. Received: {received}"
                f"{where and f' in {where}'}. Correct it: {rule}."
            ) from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the file of a folder and checks that the files it names exist.

        Raises:
            MissingError: there is none, or a file that it names does not exist.
            SettingError: it is not JSON, or breaks a rule of Kaggle's.
        """
        path = folder / cls.FILE
        metadata = cls.parse(cls._values(path), str(path))
        for name in metadata.named_files():
            if not (folder / name).is_file():
                raise MissingError(
                    f"The {cls.KIND} metadata name a file that does not exist. Looked for: "
                    f"{folder / name}. Correct the name in {path}, or run: python -m "
                    "kagglecxr.kernel build COMPETITION"
                )
        return metadata

    @classmethod
    def read_id(cls, folder: Path) -> str:
        """Reads the id of a folder's metadata alone: all that asking Kaggle about it needs.

        Raises:
            MissingError: there is no such file.
            SettingError: it is not JSON, or has no id of the form owner/slug.
        """
        path = folder / cls.FILE
        found = cls._values(path).get("id")
        if not re.fullmatch(f"{OWNER}/{SLUG}", str(found)):
            raise SettingError(
                f"The {cls.KIND} metadata have no id. Received: id {found!r} in {path}. Write "
                "owner/slug, as the address of its page has them."
            )
        return str(found)

    @classmethod
    def _values(cls, path: Path) -> dict[str, Any]:
        try:
            return read_json(path)
        except FileNotFoundError as error:
            raise MissingError(
                f"The {cls.KIND} folder has no metadata. Looked for: {path}. Run: python -m "
                "kagglecxr.kernel build COMPETITION"
            ) from error
        except ValueError as error:
            raise SettingError(
                f"The {cls.KIND} metadata are not JSON. Received: {path} ({error}). Correct that "
                "line."
            ) from error

    def named_files(self) -> list[str]:
        """The files of the folder that the metadata name."""
        raise NotImplementedError

    def write(self, folder: Path) -> Path:
        """Writes the file into a folder, without empty entries: the client sends those on."""
        path = folder / self.FILE
        values = self.model_dump(mode="json", exclude_none=True)
        write_json(path, {key: value for key, value in values.items() if value not in ("", [])})
        return path
