"""Distribution shift: how well training and test images are told apart, and by what."""
