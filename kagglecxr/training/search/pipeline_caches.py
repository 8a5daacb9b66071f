"""Searches the preprocessing of the images: the entries `pipeline` and `size` of a space.

They belong to no recipe. Each pipeline that is tried gets a cache of its own, of the same images in
the same order, which is decoded once.
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
from kagglecxr.data.cache.cache import build_cache, open_cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.training.search.space import PIPELINE, SIZE, Choice, Entry, Range


@dataclass(frozen=True)
class PipelineCaches:
    """The caches of the pipelines that are tried, built when they are first needed."""

    prepared: PreparedData
    workspace: Workspace
    reporter: Reporter
    _built: dict[str, PreparedData] = field(default_factory=dict)

    def check(self, entries: Mapping[str, Entry]) -> None:
        """Parses every pipeline and every size.

        Raises:
            SettingError, UnknownNameError: A pipeline or size is not valid, or given as a range.
        """
        for name in (PIPELINE, SIZE):
            for value in self._choices(entries, name):
                self._parse({name: value})

    def initial_parameters(self, entries: Mapping[str, Entry]) -> dict[str, Any]:
        """Returns the choices that are those of the prepared images."""
        return {
            name: value
            for name in (PIPELINE, SIZE)
            for value in self._choices(entries, name)
            if self._parse({name: value}).text == self.prepared.pipeline_text
        }

    def get(self, parameters: Mapping[str, Any]) -> PreparedData:
        """Returns the data with the images that a trial's parameters name."""
        pipeline = self._parse(parameters)
        if pipeline.text == self.prepared.pipeline_text:
            return self.prepared
        if pipeline.text not in self._built:
            self._built[pipeline.text] = self._build(pipeline)
        return self._built[pipeline.text]

    def _build(self, pipeline: Pipeline) -> PreparedData:
        # A note and no bar: that of the trials is on the terminal.
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

    def _choices(self, entries: Mapping[str, Entry], name: str) -> tuple[Choice, ...]:
        entry = entries.get(name, ())
        if isinstance(entry, Range):
            raise SettingError(
                f"Each pipeline and size needs a cache of its own. Received: a range for {name}. "
                "Write a list of choices."
            )
        return entry


def with_cache(prepared: PreparedData, workspace: Workspace, key: str) -> PreparedData:
    """Returns the data with the images of another cache; unchanged if the key is empty."""
    if not key:
        return prepared
    return dataclasses.replace(prepared, cache=open_cache(workspace.cache / key))
