"""The stand-in, its datasets and its machines, for the steps of the verb `kernel`."""

from tests.remote.conftest import own_client, stand_in, strayed
from tests.remote.datasets.conftest import shelf
from tests.remote.kernels.conftest import host, kernel_folder

__all__ = ["host", "kernel_folder", "own_client", "shelf", "stand_in", "strayed"]
