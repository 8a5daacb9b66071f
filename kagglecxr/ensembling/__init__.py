"""Ensembles: which runs are combined, and how."""
