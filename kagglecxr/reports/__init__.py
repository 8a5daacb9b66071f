"""Figures, tables and pages: of the data, of runs, of searches, and comparisons."""
