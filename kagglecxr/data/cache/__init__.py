"""Every image decoded once into memory maps, which all later steps read."""
