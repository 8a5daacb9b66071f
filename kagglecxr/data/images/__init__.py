"""From an image file to the pixels that a pipeline makes of it."""
