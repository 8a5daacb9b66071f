"""The verb `kernel`: the kit as kernels on Kaggle's machines, there and back."""

from collections.abc import Callable

from cyclopts import App

from kagglecxr.core.cli import make_app
from kagglecxr.kernel.steps import build, output, push, status

_HELP = """Packs the kit as Kaggle kernels, pushes them, and brings home what they leave.

Example: python -m kagglecxr.kernel build demo --dry-run --owner YOU
"""


def kernel_app(name: str) -> App:
    """The steps of `kernel` as one application."""
    app = make_app(name, _HELP)
    steps: list[Callable[..., None]] = [build, push, status, output]
    for order, step in enumerate(steps):
        app.command(step, sort_key=order)
    return app


kernel = kernel_app("kernel")
