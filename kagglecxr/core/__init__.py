"""What every other room stands on: errors, files, names, metrics, the console."""
