"""Keras callbacks of a training: averaging, early stopping, time limits, resuming."""
