"""From an image file to preprocessed pixels."""
