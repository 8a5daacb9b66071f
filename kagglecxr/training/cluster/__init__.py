"""Folds and trials on the machines of a Ray cluster, which need not share a file system."""
