"""From the files of a data folder to a line for each image."""
