"""The verb `kernel`: packs competitions as Kaggle kernels, pushes them, downloads their output."""

from kagglecxr.kernel.steps import kernel_app

kernel = kernel_app("kernel")
