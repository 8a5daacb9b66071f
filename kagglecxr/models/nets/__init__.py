"""Nets trained from scratch: the kit's own for CPUs, and those of the source reports."""

# Importing them fills the registry.
from kagglecxr.models.nets import large_kernels, plain, separable, small, unets, xception45

__all__ = ["large_kernels", "plain", "separable", "small", "unets", "xception45"]
