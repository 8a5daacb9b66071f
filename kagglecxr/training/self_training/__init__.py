"""Learning from images without a label, as an earlier model sees them."""
