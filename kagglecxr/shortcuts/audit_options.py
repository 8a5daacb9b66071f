"""Options of the verb `audit`."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, validators


@Parameter(name="*")
@dataclass(frozen=True)
class AuditOptions:
    """How much of a run is looked at.

    Attributes:
        images: Held-out images that are looked at, at most; as many of one class, or
            with one finding, as of another.
        explained: Images of which saliency maps are made, at most.
    """

    images: Annotated[int, Parameter(validator=validators.Number(gte=20))] = 600
    explained: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 16
