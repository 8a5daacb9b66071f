"""From batches to runs: recipes, folds, out-of-fold predictions."""
