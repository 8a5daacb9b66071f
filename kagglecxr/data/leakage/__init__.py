"""Duplicates, label conflicts and shared patients: detection, removal and report."""
