"""Options of `segment`; imports nothing heavy, since the command line is parsed with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from kagglecxr.core.cli import Duration, changed_options
from kagglecxr.core.errors import SettingError


@Parameter(name="*")
@dataclass(frozen=True)
class SegmentOptions:
    """What is trained before masks are predicted, and which masks are replaced.

    Attributes:
        train: Train a net on the competition's own masks first.
        recipe: The recipe of that net, its name or TOML file; defaults to lungs, or to
            lungs_scratch where ImageNet weights are missing.
        by_source: Train a fold for each source of images, which holds that source out, to see how
            masks of a source that nobody has masks of would be; predicts no others.
        pseudo_masks: Learn from sure masks of images that came without, too, if masks of left-out
            sources gain by that; trains up to four nets a fold.
        mask_source: Learn from the masks of this source, as metadata.csv has it in `mask_source`;
            defaults to the one of most masks.
        timeout: How long the training takes at most: seconds, or 30m, 1h.
        cluster: Train folds on the machines of a Ray cluster: auto, HOST:PORT, or local.
        replace: Give predicted masks to images that have masks of their own, too.
    """

    train: Annotated[bool, Parameter(negative="")] = False
    recipe: str | None = None
    by_source: Annotated[bool, Parameter(negative="")] = False
    pseudo_masks: Annotated[bool, Parameter(negative="")] = False
    mask_source: str | None = None
    timeout: Duration | None = None
    cluster: str | None = None
    replace: Annotated[bool, Parameter(negative="")] = False

    def check(self, changes: Sequence[str], *, of_files: bool) -> None:
        """Refuses options that nothing would come of.

        Args:
            changes: of the recipe.
            of_files: whether images of no competition are predicted.

        Raises:
            SettingError: there are some.
        """
        given = {**changed_options(self), **({"set": tuple(changes)} if changes else {})}
        if not of_files:
            given.pop("replace", None)
            if self.train or self.by_source:
                given = {}
        if given:
            words = " ".join(f"--{name.replace('_', '-')}" for name in given)
            advice = "Leave out --out" if of_files else "Add --train"
            raise SettingError(
                f"These options are of training a competition's net. Received: {words}. {advice}, "
                "or leave them out."
            )
