"""`python -m kagglecxr.kernel`."""

import sys

from kagglecxr.core.verb import exit_status
from kagglecxr.kernel import kernel_app

if __name__ == "__main__":
    raise SystemExit(exit_status(kernel_app("python -m kagglecxr.kernel"), sys.argv[1:]))
