"""The plain mean of runs, as tests of what comes before and after it want it."""

from kagglecxr.ensembling.ensemble_options import EnsembleOptions

PLAIN = EnsembleOptions("mean", "none", "none")
