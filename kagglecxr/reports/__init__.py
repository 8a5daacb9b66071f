"""Pictures and tables a person reads: curves, confusions, errors, comparisons."""
