"""How images are prepared, as a part of a space: the entries `pipeline` and `size`.

They are no recipe's: a cache holds them. Each pipeline that is tried has a cache of the same images
in the same order, decoded once.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.building import build_cache
from kagglecxr.data.cache.cache import open_cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepare import PreparedData
from kagglecxr.training.search.entries import Entry, Range

PIPELINE, SIZE = "pipeline", "size"
PIPELINE_PARAMETERS = (PIPELINE, SIZE)


@dataclass(frozen=True)
class PipelineCaches:
    """The caches of the pipelines that are tried, made as they are asked for.

    Attributes:
        prepared: the data as `prepare` left them.
        workspace: where the caches go.
        reporter: told of every pipeline whose images are decoded.
    """

    prepared: PreparedData
    workspace: Workspace
    reporter: Reporter
    _made: dict[str, PreparedData] = field(default_factory=dict)

    def check(self, entries: Mapping[str, Entry]) -> None:
        """Reads every pipeline, at every size.

        Raises:
            SettingError, UnknownNameError: a pipeline or size that cannot be, or a range of them.
        """
        chosen = {name: entries[name] for name in PIPELINE_PARAMETERS if name in entries}
        for name, entry in chosen.items():
            if isinstance(entry, Range):
                raise SettingError(
                    f"Each way to prepare images is decoded for itself. Received: a range for "
                    f"{name}. Write a list of choices."
                )
            for value in entry:
                self._parse({name: value})

    def start(self, entries: Mapping[str, Entry]) -> dict[str, Any]:
        """The choices that are the prepared images' own."""
        return {
            name: value
            for name in PIPELINE_PARAMETERS
            for value in self._choices(entries, name)
            if self._parse({name: value}).text == self.prepared.pipeline_text
        }

    def of(self, parameters: Mapping[str, Any]) -> PreparedData:
        """The data with the images that a trial's parameters ask for."""
        pipeline = self._parse(parameters)
        if pipeline.text == self.prepared.pipeline_text:
            return self.prepared
        if pipeline.text not in self._made:
            self._made[pipeline.text] = self._make(pipeline)
        return self._made[pipeline.text]

    def _make(self, pipeline: Pipeline) -> PreparedData:
        # Not a bar of its own: that of the trials is shown meanwhile.
        self.reporter.note(f"Preparing the images for trials once more: {pipeline.text}")
        table = self.prepared.index.table
        paths, masks = list(table["path"]), list(table["mask"])
        with FileLock(self.workspace.cache / "preprocessing.lock"):
            cache = build_cache(
                self.workspace.cache, self.prepared.root, paths, pipeline, Silent(), masks=masks
            )
        return dataclasses.replace(self.prepared, cache=cache)

    def _parse(self, parameters: Mapping[str, Any]) -> Pipeline:
        text, size = parameters.get(PIPELINE), parameters.get(SIZE)
        if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
            raise SettingError(
                f"A size is a whole number of pixels. Received: size = {size!r}. Write, for "
                "example, size = [128, 192]."
            )
        if text is None:
            own = self.prepared.pipeline_text
            text = own if size is None else re.sub(r"resize\(\d+\)", "resize", own)
        return Pipeline.parse(
            str(text), self.prepared.cache.images.shape[1] if size is None else size
        )

    def _choices(self, entries: Mapping[str, Entry], name: str) -> tuple[Any, ...]:
        entry = entries.get(name, ())
        return () if isinstance(entry, Range) else entry


def with_cache(prepared: PreparedData, workspace: Workspace, key: str) -> PreparedData:
    """The data with the images of another cache; as they are where the key is empty."""
    if not key:
        return prepared
    return dataclasses.replace(prepared, cache=open_cache(workspace.cache / key))
