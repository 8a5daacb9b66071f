"""Options of the verb `explain`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter, validators

_SEVERAL = Parameter(consume_multiple=True, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class ExplainOptions:
    """What is explained, and by which methods.

    Attributes:
        methods: Saliency methods, or "all"; defaults to gradcam, integrated_gradients and
            occlusion.
        images: Images by their ids; defaults to the surest right and wrong and the least sure ones
            of each class.
        number: Images of each of these groups.
        target: Explain this class; defaults to the predicted one.
        style: kagglecxr, or tf-explain for the six pictures of that library instead of methods.
        layers: Convolutions whose filters and feature maps are drawn; defaults to the first and
            the last.
    """

    methods: Annotated[tuple[str, ...], _SEVERAL] = ()
    images: Annotated[tuple[str, ...], _SEVERAL] = ()
    number: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 2
    target: str | None = None
    style: Literal["kagglecxr", "tf-explain"] = "kagglecxr"
    layers: Annotated[tuple[str, ...], _SEVERAL] = ()
