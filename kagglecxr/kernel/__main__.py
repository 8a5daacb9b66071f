"""`python -m kagglecxr.kernel`."""

import sys

from kagglecxr.core.cli import run_app
from kagglecxr.kernel.steps import kernel_app

if __name__ == "__main__":
    raise SystemExit(run_app(kernel_app("python -m kagglecxr.kernel"), sys.argv[1:]))
