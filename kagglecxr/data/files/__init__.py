"""From the files of a data folder to one table row per image."""
