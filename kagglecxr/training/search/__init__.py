"""Searches for a better recipe: a study of trials, each trained in a process of its own."""
