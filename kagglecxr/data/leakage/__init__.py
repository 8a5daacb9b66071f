"""Copies, conflicts and shared patients: what they are, and what is done about them."""
