"""Weights: where they are found, how they are checked, loaded and saved."""
