"""Options of `segment`; imports nothing heavy, since the command line is parsed with it."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class SegmentOptions:
    """What is trained before masks are predicted, and which masks are replaced.

    Attributes:
        train: Train a net on the competition's own masks first.
        recipe: The recipe of that net; its name or TOML file.
        by_source: Train a fold for each source of images, which holds that source out, to see how
            masks of a source that nobody has masks of would be; predicts no others.
        mask_source: Learn from the masks of this source, as metadata.csv has it in `mask_source`;
            defaults to the one of most masks.
        timeout: Seconds that the training takes at most.
        replace: Give predicted masks to images that have masks of their own, too.
    """

    train: Annotated[bool, Parameter(negative="")] = False
    recipe: str = "lungs"
    by_source: Annotated[bool, Parameter(negative="")] = False
    mask_source: str | None = None
    timeout: float | None = None
    replace: Annotated[bool, Parameter(negative="")] = False
