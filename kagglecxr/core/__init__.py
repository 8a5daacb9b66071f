"""What all layers share: errors, files, names, metrics, the command line."""
