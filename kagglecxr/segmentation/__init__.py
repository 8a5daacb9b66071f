"""Lung masks: their prediction, cleaning, quality and comparison with true ones."""
