"""Handles of Kaggle models, and the folder where a kernel has them attached."""

import re
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import SettingError

SCHEME = "kaggle://"
MOUNTS = Path("/kaggle/input")
_WORD = r"\w[\w.-]*"
_HANDLE = re.compile(rf"{SCHEME}({_WORD})/({_WORD})/({_WORD})/({_WORD})(?:/(\d{{1,9}}))?")


@dataclass(frozen=True)
class KaggleModel:
    """A handle such as kaggle://owner/model/framework/variation/version.

    A version of None means the latest.
    """

    owner: str
    model: str
    framework: str
    variation: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> "KaggleModel":
        """Parses a handle.

        Raises:
            SettingError: the text is no handle.

        >>> KaggleModel.parse("kaggle://keras/densenet/keras/densenet_121_imagenet/3").version
        3
        """
        match = _HANDLE.fullmatch(text)
        if not match:
            raise SettingError(
                f"A Kaggle Models handle cannot be parsed. Received: {text!r}. Write "
                f"{SCHEME}owner/model/framework/variation/version; the version may be left out."
            )
        owner, model, framework, variation, version = match.groups()
        return cls(owner, model, framework, variation, int(version) if version else None)

    def __str__(self) -> str:
        return SCHEME + self.source

    @property
    def source(self) -> str:
        """The entry of `model_sources` in kernel-metadata.json."""
        parts = [self.owner, self.model, self.framework, self.variation]
        return "/".join(parts if self.version is None else [*parts, str(self.version)])

    def attached(self) -> Path | None:
        """Returns the folder where this kernel has it attached, or None.

        Kaggle mounts a model as models/owner/model/..., formerly without the first two parts. A
        handle without a version means the latest one attached.
        """
        inside = Path(self.model, self.framework, self.variation)
        for folder in (MOUNTS / "models" / self.owner / inside, MOUNTS / inside):
            if self.version is not None:
                if (folder / str(self.version)).is_dir():
                    return folder / str(self.version)
                continue
            versions = [path for path in folder.glob("*") if path.is_dir() and path.name.isdigit()]
            if versions:
                return max(versions, key=lambda path: int(path.name))
        return None
