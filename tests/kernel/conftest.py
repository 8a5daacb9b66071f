"""The stand-in, its datasets and its machines, for the steps of the verb `kernel`."""

from tests.remote.conftest import fake_kaggle, own_client, strayed
from tests.remote.datasets.conftest import shelf
from tests.remote.kernels.conftest import host, kernel_folder

__all__ = ["fake_kaggle", "host", "kernel_folder", "own_client", "shelf", "strayed"]
