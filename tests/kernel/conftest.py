"""The fake Kaggle, its datasets and its machines, for the steps of the verb `kernel`."""

from tests.remote.conftest import fake_kaggle, own_client, strayed
from tests.remote.datasets.conftest import fake_datasets
from tests.remote.kernels.conftest import fake_kernels, kernel_folder

__all__ = ["fake_datasets", "fake_kaggle", "fake_kernels", "kernel_folder", "own_client", "strayed"]
