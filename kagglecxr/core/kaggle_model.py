"""A Kaggle Models handle, kept as data, and where a kernel finds what it names."""

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

    Attributes:
        owner: user or organisation.
        model: slug of the model.
        framework: keras, tensorFlow2, pyTorch and so on.
        variation: slug of the variation.
        version: its number; None for the newest.
    """

    owner: str
    model: str
    framework: str
    variation: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> "KaggleModel":
        """Reads a handle.

        Raises:
            SettingError: it is none.

        >>> KaggleModel.parse("kaggle://keras/densenet/keras/densenet_121_imagenet/3").version
        3
        """
        match = _HANDLE.fullmatch(text)
        if not match:
            raise SettingError(
                f"A Kaggle Models handle cannot be read. Received: {text!r}. Write "
                f"{SCHEME}owner/model/framework/variation/version; the version may be left out."
            )
        owner, model, framework, variation, version = match.groups()
        return cls(owner, model, framework, variation, int(version) if version else None)

    def __str__(self) -> str:
        return SCHEME + self.source

    @property
    def source(self) -> str:
        """What kernel-metadata.json lists under `model_sources`."""
        parts = [self.owner, self.model, self.framework, self.variation]
        return "/".join(parts if self.version is None else [*parts, str(self.version)])

    def attached(self, mounts: Path = MOUNTS) -> Path | None:
        """The folder at which a kernel has it attached; None where it has not.

        Kaggle mounts a model as models/owner/model/..., and used to leave out the first two. Of
        several versions the newest is taken where the handle names none.
        """
        inside = Path(self.model, self.framework, self.variation)
        for place in (mounts / "models" / self.owner / inside, mounts / inside):
            if self.version is not None:
                if (place / str(self.version)).is_dir():
                    return place / str(self.version)
                continue
            versions = [path for path in place.glob("*") if path.is_dir() and path.name.isdigit()]
            if versions:
                return max(versions, key=lambda path: int(path.name))
        return None
