"""Options of the verb `app`, and what its page is of."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from kagglecxr.core.workspace import Workspace

LOOPBACK = "127.0.0.1"


@Parameter(name="*")
@dataclass(frozen=True)
class AppOptions:
    """Which models the page has, and where it is.

    Attributes:
        models: More models: folders of runs or of ensembles, or files that export wrote.
        address: The address of this machine that the page is at; 0.0.0.0 opens it to other
            machines, without a password.
        port: Its port.
        browser: Open a browser.
    """

    models: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, negative="", show_default=False)
    ] = ()
    address: str = LOOPBACK
    port: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))] = 8501
    browser: bool = True


@dataclass(frozen=True)
class Site:
    """What the page is of, as its script is told on the command line.

    Attributes:
        given: what the user named the competition by.
        workspace: of the competition.
        models: those that the operator named.
        seed: of the saliency methods that draw.
    """

    given: str
    workspace: Workspace
    models: tuple[Path, ...] = ()
    seed: int = 0

    def to_json(self) -> str:
        """Returns it as one word of a command line."""
        return json.dumps(
            {
                "given": self.given,
                "root": str(self.workspace.root),
                "competition": self.workspace.competition,
                "models": [str(model) for model in self.models],
                "seed": self.seed,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Site":
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        given = values["given"]
        workspace = Workspace(Path(values["root"]), values["competition"], given)
        models = tuple(Path(model) for model in values["models"])
        return cls(given, workspace, models, values["seed"])
