"""Options of `kernel build`; light, since the command line is parsed with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Accelerator = Literal["gpu", "tpu", "cpu"]


@Parameter(name="*")
@dataclass(frozen=True)
class KernelOptions:
    """Options of the kernels that are built.

    Attributes:
        owner: Your name on Kaggle; defaults to the credentials' user.
        recipe: A recipe's name or TOML file; defaults to one chosen by the machine it runs on.
        changes: A recipe's entry as key=value; can be given several times.
        space: What `tune` varies: a space's name or TOML file.
        trials: How many recipes `tune` tries.
        accelerator: gpu is T4 x2, tpu v5e-8.
        internet: Let train and tune fetch weights; submit never has it.
        public: Let others see kernels and datasets.
        data: The dataset OWNER/SLUG of the images, where the competition names none.
        attach: More datasets OWNER/SLUG, as of ImageNet weights; can be given several times.
        dry_run: Write all folders and send nothing.
        to: Folder of the kernels.
    """

    owner: str | None = None
    recipe: str = "default"
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()
    space: str = "cpu"
    trials: int = 40
    accelerator: Accelerator = "gpu"
    internet: bool = True
    public: Annotated[bool, Parameter(negative="")] = False
    data: str = ""
    attach: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    dry_run: Annotated[bool, Parameter(negative="")] = False
    to: Path = Path("kernels")
