"""Datasets on Kaggle: wheels of the package, and trained runs."""
