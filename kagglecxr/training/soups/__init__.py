"""Means of the weights of several trainings."""
