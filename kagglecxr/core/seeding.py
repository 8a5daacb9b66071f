"""Random seeds and generators derived from one seed, independent of one another."""

import hashlib

import numpy as np


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Returns a 31-bit seed that depends on the run's seed and the words of its purpose."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "little") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Returns a NumPy generator for one purpose."""
    return np.random.default_rng(derive_seed(seed, *purpose))
