"""Kernels: code that runs on the machines of Kaggle."""
