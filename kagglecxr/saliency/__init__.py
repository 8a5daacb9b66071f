"""Saliency maps: where a classifier looks, and whether that is where its answer comes from."""
